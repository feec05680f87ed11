import Kernels
import Tensors

/// A block over text and image together, with feed-forward and attention in parallel (`FluxSingleTransformerBlock`).
struct SingleBlock {
  /// What the timestep modulates.
  let modulation: Modulation
  private let settings: AttentionSettings
  private let projection: AttentionProjection
  private let feedForward: Linear
  private let output: Linear

  init(_ settings: AttentionSettings, _ scope: WeightScope) throws {
    self.settings = settings
    let width = settings.width
    modulation = try Modulation(.gated(sublayers: 1), width: width, scope.scope("norm"))
    feedForward = try scope.linear("proj_mlp", width, 4 * width)
    output = try scope.linear("proj_out", 5 * width, width)
    projection = try AttentionProjection(settings, .image, scope.scope("attn"))
  }

  /// Whether the attention may round its operands.
  var attendsRounded: Bool { projection.isRounded }

  /// Updates the joint stream [Σ (text + image tokens), width] in place, in the rows that are queries.
  func callAsFunction(
    _ stream: Tensor, condition: Tensor, layout: BatchLayout, history: LayerHistory? = nil,
    in context: KernelContext
  ) throws {
    let rows = layout.jointRows
    let (queries, places) = (layout.jointQueryRows, layout.queryRows)
    let modulation = try modulation(condition, in: context)[0]
    let input = modulation.normalized(
      stream, rows: rows, for: projection.layers + [feedForward], in: context)
    let operands = AttentionOperands(layout: layout, width: settings.width)
    try projection(
      input, queries: (queries, places), keys: (rows, layout.keys(of: rows)), into: operands, in: context)
    let attended = try operands.attend(
      settings, isRounded: attendsRounded, history: history, in: context)
    guard layout.hasQueries else { return }
    let result = LinearInput(
      rows: attended.shape[0], computing: feedForward.outputs, after: [attended], for: [output], in: context)
    try feedForward(
      input,
      zip(queries, places).map {
        Linear.Segment(rows: $0, into: result.target($1), then: [.activation(.geluTanh)])
      }, in: context)
    try output(
      result, gatedResidual(of: places, to: stream, rows: queries, gates: modulation.gates), in: context)
  }
}
