import Foundation

/// PyTorch's CPU generator: MT19937 and Box–Muller, in runs of sixteen for large tensors, and one by one in double
/// precision for small ones (`normal_kernel`, `aten/src/ATen/native/cpu/DistributionTemplates.h`).
///
/// Bit-identical to `torch.randn` in f32 (``BoxMuller``) and, once its results are rounded, in bf16 (compared with
/// PyTorch 2.13; older versions computed draws in bf16 from uniform numbers of eight bits).
struct TorchCPUGenerator {
  private static let run = 16
  /// How many values are drawn between two looks whether the task is cancelled; whole runs.
  private static let piece = 1 << 18

  private var generator: MersenneTwister
  private var cachedNormal: Double?

  init(seed: UInt64) {
    generator = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
  }

  /// Fills a whole tensor.
  ///
  /// - Parameter isBFloat16: whether the tensor is in bf16, for which only whole runs are drawn before the last one.
  /// - Throws: `CancellationError` when the calling task was cancelled.
  mutating func fill(_ values: UnsafeMutableBufferPointer<Float>, isBFloat16: Bool) throws {
    let (count, run) = (values.count, Self.run)
    guard count >= run else {
      for index in values.indices { values[index] = Float(nextNormal()) }
      return
    }
    let whole = count / run * run
    let drawn = isBFloat16 ? whole : count
    for start in stride(from: 0, to: drawn, by: Self.piece) {
      try Task.checkCancellation()
      for index in start..<min(start + Self.piece, drawn) { values[index] = nextUniform() }
    }
    for start in stride(from: 0, to: whole, by: run) {
      if start.isMultiple(of: Self.piece) { try Task.checkCancellation() }
      BoxMuller.transform(values, at: start)
    }
    if whole < count {
      // The last sixteen values are drawn again.
      for index in count - run..<count { values[index] = nextUniform() }
      BoxMuller.transform(values, at: count - run)
    }
  }

  /// Returns one value; every second one is left over from the draw before.
  mutating func nextNormal() -> Double {
    if let cached = cachedNormal {
      cachedNormal = nil
      return cached
    }
    let angle = 2 * Double.pi * nextDouble()
    let radius = (-2 * log1p(-nextDouble())).squareRoot()
    cachedNormal = radius * sin(angle)
    return radius * cos(angle)
  }

  /// Returns a number of 24 bits in [0, 1).
  private mutating func nextUniform() -> Float { Float(generator.next() & 0xFF_FFFF) * 0x1p-24 }

  /// Returns a number of 53 bits in [0, 1).
  private mutating func nextDouble() -> Double {
    let high = UInt64(generator.next())
    let low = UInt64(generator.next())
    return Double((high << 32 | low) & (1 << 53 - 1)) * 0x1p-53
  }
}
