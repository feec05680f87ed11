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
  Tensor.concatenated(
    rows.indices.map { sample in
      Normalization.layerNorm(
        x.rows(rows[sample]), scale: scales[sample], shift: shifts[sample], epsilon: 1e-6)
    })
}

/// Segments that add a gated product to the residual stream.
func gatedResidual(rows: [Range<Int>], gates: [Tensor]) -> [Linear.Segment] {
  zip(rows, gates).map { Linear.Segment(rows: $0, epilogue: [.gatedResidual($1)]) }
}
