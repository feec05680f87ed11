import Kernels
import Tensors

/// A block with separate streams for text and image that attend together (`FluxTransformerBlock` of miniFLUX,
/// `JointTransformerBlock` of SD3).
struct JointBlock {
  private struct Stream {
    let modulation: Modulation
    let projection: AttentionProjection
    /// The update of the stream; nil for a stream that ends here.
    let update: Update?
  }

  private struct Update {
    let output: Linear
    let feedForward1: Linear, feedForward2: Linear

    /// Adds the attention's output and then the feed-forward's to rows of the stream x [rows, width].
    ///
    /// - Parameter attendedRows: the rows of the attention's output that are those of the stream.
    func callAsFunction(
      _ x: Tensor, attended: LinearInput, attendedRows: [Range<Int>], modulation: [SublayerModulation],
      rows: [Range<Int>], in context: KernelContext
    ) throws {
      try output(
        attended, gatedResidual(of: attendedRows, to: x, rows: rows, gates: modulation[0].gates), in: context)
      let normed = modulation[1].normalized(x, rows: rows, for: [feedForward1], in: context)
      let hidden = LinearInput(
        rows: normed.rows, computing: feedForward1.outputs, for: [feedForward2], in: context)
      let all = 0..<normed.rows
      try feedForward1(
        normed, [Linear.Segment(rows: all, into: hidden.target(all), then: [.activation(.geluTanh)])],
        in: context)
      try feedForward2(
        hidden,
        gatedResidual(
          of: BatchLayout.runs(rows.map(\.count)), to: x, rows: rows, gates: modulation[1].gates),
        in: context)
    }
  }

  private let settings: AttentionSettings
  private let image: Stream, text: Stream

  /// Builds a block.
  ///
  /// - Parameter endsText: whether nothing reads the text after this block, so that it is only attended to
  ///   (`context_pre_only`).
  init(_ settings: AttentionSettings, endsText: Bool = false, _ scope: WeightScope) throws {
    self.settings = settings
    let width = settings.width
    let attention = scope.scope("attn")
    func stream(_ stream: AttentionProjection.Stream, norm: String, update: Update?) throws -> Stream {
      Stream(
        modulation: try Modulation(
          update == nil ? .continuous : .gated(sublayers: 2), width: width, scope.scope(norm)),
        projection: try AttentionProjection(settings, stream, attention), update: update)
    }
    func update(output: String, feedForward: String) throws -> Update {
      let network = scope.scope(feedForward).scope("net")
      return Update(
        output: try attention.linear(output, width, width),
        feedForward1: try network.linear("0.proj", width, 4 * width),
        feedForward2: try network.linear("2", 4 * width, width))
    }
    image = try stream(.image, norm: "norm1", update: try update(output: "to_out.0", feedForward: "ff"))
    text = try stream(
      .text, norm: "norm1_context",
      update: endsText ? nil : try update(output: "to_add_out", feedForward: "ff_context"))
  }

  /// What the timestep modulates.
  var modulations: [Modulation] { [image.modulation, text.modulation] }

  /// Whether the attention may round its operands.
  var attendsRounded: Bool { image.projection.isRounded && text.projection.isRounded }

  /// Updates both streams in place: text [Σ text tokens, width], image [samples · image tokens, width].
  func callAsFunction(
    text textStream: Tensor, image imageStream: Tensor, condition: Tensor, layout: BatchLayout,
    history: LayerHistory? = nil, in context: KernelContext
  ) throws {
    let (textRows, imageRows) = (layout.textRows, layout.imageRows)
    let imageModulation = try image.modulation(condition, in: context)
    // Of a text whose keys and values are known, nothing is computed.
    let textModulation = textRows.allSatisfy(\.isEmpty) ? nil : try text.modulation(condition, in: context)
    let operands = AttentionOperands(layout: layout, width: settings.width)
    try image.projection(
      imageModulation[0].normalized(
        imageStream, rows: imageRows, for: image.projection.layers, in: context),
      queries: (layout.imageQueryRows, layout.imageQueryPlaces),
      keys: (imageRows, layout.keys(of: layout.jointImageRows)), into: operands, in: context)
    if let textModulation {
      try text.projection(
        textModulation[0].normalized(textStream, rows: textRows, for: text.projection.layers, in: context),
        queries: (layout.textQueryRows, layout.textQueryPlaces),
        keys: (textRows, layout.keys(of: layout.jointTextRows)), into: operands, in: context)
    }
    let attended = LinearInput(
      try operands.attend(
        settings, isRounded: attendsRounded, history: history, in: context))
    guard layout.hasQueries else { return }
    try image.update?(
      imageStream, attended: attended, attendedRows: layout.imageQueryPlaces, modulation: imageModulation,
      rows: layout.imageQueryRows, in: context)
    guard let textModulation else { return }
    try text.update?(
      textStream, attended: attended, attendedRows: layout.textQueryPlaces, modulation: textModulation,
      rows: layout.textQueryRows, in: context)
  }
}
