import Foundation
import Tensors

/// Where a run takes its noise from: drawn from a seed, or recorded in a golden trace.
public protocol NoiseSource {
  /// Independent normal noise [channels, frames, height, width] that the whole clip starts from.
  func initial(shape: Shape) throws -> Tensor
  /// Independent normal noise [channels, 1, height, width] for the sample of an encoded image; drawn after the initial.
  func posterior(shape: Shape) throws -> Tensor
  /// Noise [channels, 1, height, width] correlated inside blocks of four pixels, added when a stage starts.
  func block(unit: Int, stage: Int, shape: Shape) throws -> Tensor
}

/// Noise from a seed, drawn as PyTorch's CPU generator draws it: MT19937, Box–Muller in runs of sixteen for large
/// tensors and one by one, in double precision, for small ones (`normal_kernel`, `aten/src/ATen/native/cpu`).
///
/// Equal bit by bit to `torch.randn` in f32 (``BoxMuller``).
public final class SeededNoise: NoiseSource {
  private var generator: MersenneTwister
  private var cachedNormal: Double?

  /// Starts the generator.
  public init(seed: UInt64) {
    generator = MersenneTwister(seed: UInt32(truncatingIfNeeded: seed))
  }

  /// `torch.randn` of that shape.
  public func initial(shape: Shape) -> Tensor { normal(shape) }

  /// `torch.randn` of that shape.
  public func posterior(shape: Shape) -> Tensor { normal(shape) }

  private func normal(_ shape: Shape) -> Tensor {
    let result = Tensor(shape)
    let count = result.count
    guard count >= 16 else {
      for index in 0..<count { result.elements[index] = Float(nextNormal()) }
      return result
    }
    for index in 0..<count { result.elements[index] = nextUniform() }
    for start in stride(from: 0, through: count - 16, by: 16) {
      BoxMuller.transform(result.elements, at: start)
    }
    if count % 16 != 0 {
      // The last sixteen values are drawn anew.
      for index in count - 16..<count { result.elements[index] = nextUniform() }
      BoxMuller.transform(result.elements, at: count - 16)
    }
    return result
  }

  /// Draws four values for each 2×2 block (`sample_block_noise`).
  public func block(unit: Int, stage: Int, shape: Shape) -> Tensor {
    let result = Tensor(shape)
    let (height, width) = (shape[2], shape[3])
    for plane in 0..<shape[0] * shape[1] {
      for y in stride(from: 0, to: height, by: 2) {
        for x in stride(from: 0, to: width, by: 2) {
          let drawn = (0..<4).map { _ in nextNormal() }
          for (pixel, row) in Self.blockFactor.enumerated() {
            let value = zip(row, drawn).reduce(0) { $0 + $1.0 * $1.1 }
            result.elements[(plane * height + y + pixel / 2) * width + x + pixel % 2] = Float(value)
          }
        }
      }
    }
    return result
  }

  /// The Cholesky factor of the block covariance (1 + γ)·I − γ·1·1ᵀ.
  ///
  /// At γ = 1/3 the covariance is singular (a block's values sum to zero), so the last pivot is zero up to rounding
  /// and is taken as zero.
  static let blockFactor: [[Double]] = {
    let gamma = PyramidFlowSchedule.gamma
    var factor = [[Double]](repeating: [0, 0, 0, 0], count: 4)
    for row in 0..<4 {
      for column in 0...row {
        let known = (0..<column).reduce(0) { $0 + factor[row][$1] * factor[column][$1] }
        let covariance = row == column ? 1 : -gamma
        let rest = covariance - known
        factor[row][column] =
          row == column ? (rest > 1e-12 ? rest.squareRoot() : 0) : rest / factor[column][column]
      }
    }
    return factor
  }()

  /// 24 bits in [0, 1).
  private func nextUniform() -> Float { Float(generator.next() & 0xFF_FFFF) * 0x1p-24 }

  /// 53 bits in [0, 1).
  private func nextDouble() -> Double {
    let high = UInt64(generator.next())
    let low = UInt64(generator.next())
    return Double((high << 32 | low) & (1 << 53 - 1)) * 0x1p-53
  }

  private func nextNormal() -> Double {
    if let cached = cachedNormal {
      cachedNormal = nil
      return cached
    }
    let angle = 2 * Double.pi * nextDouble()
    let radius = (-2 * log1p(-nextDouble())).squareRoot()
    cachedNormal = radius * sin(angle)
    return radius * cos(angle)
  }
}

/// MT19937 (Matsumoto and Nishimura, 1998).
struct MersenneTwister {
  private var state: [UInt32]
  private var index = 624

  init(seed: UInt32) {
    state = [seed]
    for position in 1..<624 {
      let previous = state[position - 1]
      state.append(1_812_433_253 &* (previous ^ previous >> 30) &+ UInt32(position))
    }
  }

  mutating func next() -> UInt32 {
    if index == 624 { twist() }
    var value = state[index]
    index += 1
    value ^= value >> 11
    value ^= value << 7 & 0x9D2C_5680
    value ^= value << 15 & 0xEFC6_0000
    return value ^ value >> 18
  }

  private mutating func twist() {
    for position in 0..<624 {
      let mixed = state[position] & 0x8000_0000 | state[(position + 1) % 624] & 0x7FFF_FFFF
      state[position] = state[(position + 397) % 624] ^ mixed >> 1 ^ (mixed & 1 == 0 ? 0 : 0x9908_B0DF)
    }
    index = 0
  }
}
