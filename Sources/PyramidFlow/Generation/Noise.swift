import Models

/// The origin of a run's noise: a seed, or a recording.
public struct Noise: Sendable {
  /// A seed of PyTorch, and what draws from it.
  public struct Seed: Equatable, Sendable {
    /// The seed (`torch.manual_seed`).
    public var seed: UInt64
    /// The device that the official run draws on.
    public var device: TorchDevice
    /// Whether the official run computes, and draws, in bf16.
    public var isBFloat16: Bool

    /// Creates a seed.
    public init(_ seed: UInt64, device: TorchDevice = .cpu, isBFloat16: Bool = false) {
      self.seed = seed
      self.device = device
      self.isBFloat16 = isBFloat16
    }
  }

  /// The identifier that distinguishes this noise from other noise; a resumed run must have the same.
  public let identity: String
  /// The seed, where the noise comes from one.
  public let seed: Seed?
  /// A function that makes a source, which draws from the beginning.
  package let makeSource: @Sendable () throws -> any NoiseSource

  /// Creates noise of another origin.
  package init(identity: String, makeSource: @escaping @Sendable () throws -> any NoiseSource) {
    self.identity = identity
    seed = nil
    self.makeSource = makeSource
  }

  /// Creates the noise that the official implementation draws after `torch.manual_seed`.
  public init(_ seed: Seed) {
    let place: String =
      switch seed.device {
      case .cpu: ""
      case .cuda(let gpu): " of a GPU with \(gpu.multiprocessors)x\(gpu.threadsEach) threads"
      }
    identity = "seed \(seed.seed)" + place + (seed.isBFloat16 ? " in bf16" : "")
    self.seed = seed
    makeSource = { SeededNoise(seed: seed.seed, device: seed.device, isBFloat16: seed.isBFloat16) }
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
    Noise(Seed(seed, device: device, isBFloat16: isBFloat16))
  }
}
