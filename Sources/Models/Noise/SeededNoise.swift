import Tensors

/// Noise from a seed, drawn as the official implementation draws it after `torch.manual_seed`.
///
/// The initial noise and that of an encoded image come from the device that the model runs on, block noise always from
/// the CPU (`sample_block_noise` names no device).
package final class SeededNoise: NoiseSource {
  private var cpu: TorchCPUGenerator
  private var cuda: TorchCUDAGenerator?
  private let isBFloat16: Bool

  /// Creates the generators.
  ///
  /// - Parameter isBFloat16: whether the official model runs in bf16, so that its noise is in bf16 too.
  package init(seed: UInt64, device: TorchDevice = .cpu, isBFloat16: Bool = false) {
    cpu = TorchCPUGenerator(seed: seed)
    if case .cuda(let gpu) = device { cuda = TorchCUDAGenerator(seed: seed, gpu: gpu) }
    self.isBFloat16 = isBFloat16
  }

  /// Draws noise of that shape as `torch.randn` does.
  ///
  /// - Throws: `CancellationError` when the calling task was cancelled.
  package func initial(shape: Shape) throws -> Tensor { try normal(shape) }

  /// Draws noise of that shape as `torch.randn` does.
  ///
  /// - Throws: `CancellationError` when the calling task was cancelled.
  package func posterior(shape: Shape) throws -> Tensor { try normal(shape) }

  private func normal(_ shape: Shape) throws -> Tensor {
    let result = Tensor(shape)
    if cuda != nil {
      try cuda?.fill(result.elements)
    } else {
      try cpu.fill(result.elements, isBFloat16: isBFloat16)
    }
    return rounded(result)
  }

  private func rounded(_ x: Tensor) -> Tensor { isBFloat16 ? x.map(FloatConversion.rounded) : x }

  /// Draws four values for each 2×2 block (`sample_block_noise`).
  package func block(unit: Int, stage: Int, shape: Shape) -> Tensor {
    let result = Tensor(shape)
    let (height, width) = (shape[2], shape[3])
    for plane in 0..<shape[0] * shape[1] {
      for y in stride(from: 0, to: height, by: 2) {
        for x in stride(from: 0, to: width, by: 2) {
          let drawn = (0..<4).map { _ in Double(Float(cpu.nextNormal())) }
          for (pixel, row) in Self.blockFactor.enumerated() {
            let value = zip(row, drawn).reduce(0) { $0 + $1.0 * $1.1 }
            result.elements[(plane * height + y + pixel / 2) * width + x + pixel % 2] = Float(value)
          }
        }
      }
    }
    return rounded(result)
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
        let covariance = row == column ? 1 : Double(Float(-gamma))
        let rest = covariance - known
        factor[row][column] =
          row == column ? (rest > 1e-6 ? rest.squareRoot() : 0) : rest / factor[column][column]
      }
    }
    return factor
  }()
}
