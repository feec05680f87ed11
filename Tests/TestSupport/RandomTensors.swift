import Tensors

/// Random numbers that are the same in every run.
public struct Randomness: RandomNumberGenerator {
  private var state: UInt64

  /// Starts from a seed.
  public init(seed: UInt64) { state = seed }

  /// The next 64 bits (SplitMix64).
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A tensor of values in −1…1.
  package mutating func tensor(_ shape: Shape) -> Tensor {
    Tensor(shape, (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &self) })
  }
}
