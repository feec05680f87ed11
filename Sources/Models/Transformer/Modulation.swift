import Kernels
import Tensors

/// `linear(silu(condition))`, cut into rows of the model's width: shifts, scales and gates of one block.
struct Modulation {
  private let linear: Linear
  private let width: Int

  init(_ count: Int, width: Int, _ scope: WeightScope) throws {
    linear = try scope.linear("linear", width, count * width)
    self.width = width
  }

  /// condition [samples, width], already through SiLU → for every sample, `count` rows of [width].
  func callAsFunction(_ condition: Tensor, in context: KernelContext) throws -> [[Tensor]] {
    let all = try linear(condition, in: context)
    return (0..<all.shape[0]).map { sample in
      let parts = all.rows(sample..<sample + 1).reshaped([linear.outputs / width, width])
      return (0..<parts.shape[0]).map { parts.rows($0..<$0 + 1) }
    }
  }
}

/// Layer norm and modulation of every sample's rows: x [rows, width] → the same shape.
func modulatedNorm(_ x: Tensor, rows: [Range<Int>], scales: [Tensor], shifts: [Tensor]) -> Tensor {
  let output = Tensor(x.shape)
  for (sample, rows) in rows.enumerated() {
    Normalization.layerNorm(
      x.rows(rows), scale: scales[sample], shift: shifts[sample], epsilon: 1e-6, into: output.rows(rows))
  }
  return output
}

/// Segments that add a gated product of every sample's rows to the residual stream x [rows, width].
///
/// - Parameters:
///   - source: where the samples' rows stand in the product's input.
///   - rows: where they stand in the stream.
func gatedResidual(
  of source: [Range<Int>], to x: Tensor, rows: [Range<Int>], gates: [Tensor]
) -> [Linear.Segment] {
  rows.indices.map { sample in
    Linear.Segment(rows: source[sample], into: x.rows(rows[sample]), then: [.gatedResidual(gates[sample])])
  }
}
