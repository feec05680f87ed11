import Models

/// Where the noise of a run comes from: drawn from a seed, or recorded.
public struct Noise: Sendable {
  /// What distinguishes this noise from other noise; a resumed run must have the same.
  public let identity: String
  /// Starts drawing from the beginning.
  package let makeSource: @Sendable () throws -> any NoiseSource

  /// Noise of another origin.
  package init(identity: String, makeSource: @escaping @Sendable () throws -> any NoiseSource) {
    self.identity = identity
    self.makeSource = makeSource
  }

  /// The noise that the official implementation draws after `torch.manual_seed`.
  ///
  /// - Parameters:
  ///   - seed: the seed.
  ///   - device: the device that the official run draws on.
  ///   - isBFloat16: whether the official run computes, and draws, in bf16.
  public static func seed(
    _ seed: UInt64, device: TorchDevice = .cpu, isBFloat16: Bool = false
  ) -> Noise {
    let place: String =
      switch device {
      case .cpu: ""
      case .cuda(let gpu): " of a GPU with \(gpu.multiprocessors)x\(gpu.threadsEach) threads"
      }
    return Noise(identity: "seed \(seed)" + place + (isBFloat16 ? " in bf16" : "")) {
      SeededNoise(seed: seed, device: device, isBFloat16: isBFloat16)
    }
  }
}
