import Models

/// The origin of a run's noise: a seed, or a recording.
public struct Noise: Sendable {
  /// The identifier that distinguishes this noise from other noise; a resumed run must have the same.
  public let identity: String
  /// A function that makes a source, which draws from the beginning.
  package let makeSource: @Sendable () throws -> any NoiseSource

  /// Creates noise of another origin.
  package init(identity: String, makeSource: @escaping @Sendable () throws -> any NoiseSource) {
    self.identity = identity
    self.makeSource = makeSource
  }

  /// Returns the noise that the official implementation draws after `torch.manual_seed`.
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
