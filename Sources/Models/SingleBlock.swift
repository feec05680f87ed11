import Kernels
import Tensors

/// A block over text and image together, its feed-forward beside its attention (`FluxSingleTransformerBlock`).
struct SingleBlock {
  private let settings: AttentionSettings
  private let modulation: Modulation
  private let projection: AttentionProjection
  private let feedForward: Linear
  private let output: Linear

  init(_ settings: AttentionSettings, _ scope: WeightScope) throws {
    self.settings = settings
    let width = settings.width
    modulation = try Modulation(3, width: width, scope.scope("norm"))
    feedForward = try scope.linear("proj_mlp", width, 4 * width)
    output = try scope.linear("proj_out", 5 * width, width)
    projection = try AttentionProjection(settings, .image, scope.scope("attn"))
  }

  /// Updates the joint stream [Σ (text + image tokens), width] in place.
  func callAsFunction(
    _ stream: Tensor, condition: Tensor, layout: BatchLayout, in context: KernelContext
  ) throws {
    let rows = layout.jointRows
    let modulation = try modulation(condition, in: context)
    // Of each sample's three rows: shift, scale, gate.
    let input = LinearInput(
      modulatedNorm(
        stream, rows: rows, scales: modulation.map { $0[1] }, shifts: modulation.map { $0[0] }))
    let hidden = try feedForward(input, then: [.activation(.geluTanh)], in: context)
    let (query, key, value) = try projection(input, in: context)
    let attended = try layout.samples.map { sample in
      let range = rows[sample]
      return try rotaryAttention(
        query: query.rows(range), key: key.rows(range), value: value.rows(range), sample: sample,
        layout: layout, settings: settings, isRounded: projection.isRounded, in: context)
    }
    try output(
      LinearInput(Self.sideBySide(.concatenated(attended), hidden)), into: stream,
      segments: gatedResidual(rows: rows, gates: modulation.map { $0[2] }), in: context)
  }

  /// [rows, a] and [rows, b] → [rows, a + b].
  private static func sideBySide(_ left: Tensor, _ right: Tensor) -> Tensor {
    let (leftWidth, rightWidth) = (left.shape[1], right.shape[1])
    let result = Tensor([left.shape[0], leftWidth + rightWidth])
    for row in 0..<left.shape[0] {
      let start = row * (leftWidth + rightWidth)
      _ = result.elements[start...].update(fromContentsOf: left.rows(row..<row + 1).elements)
      _ = result.elements[(start + leftWidth)...].update(fromContentsOf: right.rows(row..<row + 1).elements)
    }
    return result
  }
}
