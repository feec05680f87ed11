import Kernels
import Tensors

/// The shifts, scales and gates of one sub-layer: one of each, [1, width], for every sample.
struct SublayerModulation {
  let shifts: [Tensor], scales: [Tensor]
  /// The gates; empty where nothing is added to a residual stream.
  let gates: [Tensor]

  /// Applies layer norm and modulation to every sample's rows of x [rows, width], and returns these rows only.
  func normalized(_ x: Tensor, rows: [Range<Int>]) -> Tensor {
    let output = Tensor([rows.reduce(0) { $0 + $1.count }, x.shape[1]])
    normalize(x, rows: rows) { .tensor(output.rows($0)) }
    return output
  }

  /// Applies layer norm and modulation to every sample's rows of x, as the input of layers.
  func normalized(
    _ x: Tensor, rows: [Range<Int>], for layers: [Linear], in context: KernelContext
  ) -> LinearInput {
    let input = LinearInput(
      rows: rows.reduce(0) { $0 + $1.count }, computing: x.shape[1], for: layers, in: context)
    normalize(x, rows: rows, into: input.target)
    return input
  }

  private func normalize(_ x: Tensor, rows: [Range<Int>], into target: (Range<Int>) -> LinearInput.Target) {
    for (sample, place) in BatchLayout.runs(rows.map(\.count)).enumerated() {
      Normalization.layerNorm(
        x.rows(rows[sample]), scale: scales[sample], shift: shifts[sample], epsilon: 1e-6, into: target(place)
      )
    }
  }
}

/// `linear(silu(condition))`: the modulation of a block's sub-layers.
struct Modulation {
  /// The order of the rows in the linear layer's output.
  enum Order {
    /// Shift, scale and gate of each sub-layer, one sub-layer after the other (`AdaLayerNormZero`).
    case gated(sublayers: Int)
    /// Scale and shift of one sub-layer (`AdaLayerNormContinuous`).
    case continuous
  }

  private let linear: Linear
  private let order: Order

  init(_ order: Order, width: Int, _ scope: WeightScope) throws {
    let rows =
      switch order {
      case .gated(let sublayers): 3 * sublayers
      case .continuous: 2
      }
    linear = try scope.linear("linear", width, rows * width)
    self.order = order
  }

  /// Computes all shifts, scales and gates from condition [samples, width], already through SiLU.
  func values(_ condition: Tensor, in context: KernelContext) throws -> Tensor {
    try linear(condition, in: context)
  }

  /// Computes the modulation of every sub-layer from condition [samples, width], already through SiLU.
  func callAsFunction(_ condition: Tensor, in context: KernelContext) throws -> [SublayerModulation] {
    let all = try values(condition, in: context)
    let (samples, width) = (condition.shape[0], condition.shape[1])
    let rows = all.reshaped([all.count / width, width])
    func row(_ index: Int) -> [Tensor] {
      (0..<samples).map { sample in
        let place = sample * rows.shape[0] / samples + index
        return rows.rows(place..<place + 1)
      }
    }
    switch order {
    case .gated(let sublayers):
      return (0..<sublayers).map {
        SublayerModulation(shifts: row(3 * $0), scales: row(3 * $0 + 1), gates: row(3 * $0 + 2))
      }
    case .continuous: return [SublayerModulation(shifts: row(1), scales: row(0), gates: [])]
    }
  }
}

/// Returns segments that add a gated product of every sample's rows to the residual stream x [rows, width].
///
/// - Parameters:
///   - source: the samples' rows in the product's input.
///   - rows: the samples' rows in the stream.
func gatedResidual(
  of source: [Range<Int>], to x: Tensor, rows: [Range<Int>], gates: [Tensor]
) -> [Linear.Segment] {
  rows.indices.map { sample in
    Linear.Segment(rows: source[sample], into: x.rows(rows[sample]), then: [.gatedResidual(gates[sample])])
  }
}
