import Kernels
import Tensors

/// The token sequences of a batch: which rows belong to which sample, and which keys each query sees.
struct BatchLayout {
  let textCounts: [Int]
  let imageCount: Int
  /// Frames of the sequence, in tokens, in order of time.
  let frameSizes: [Int]
  let rotary: [RotaryPositions]

  init(textCounts: [Int], clips: [ClipExtents], axes: [Int]) {
    self.textCounts = textCounts
    imageCount = clips.reduce(0) { $0 + $1.tokenCount }
    frameSizes = clips.flatMap { Array(repeating: $0.tokensPerFrame, count: $0.frames) }
    rotary = textCounts.map { RotaryPositions(textCount: $0, clips: clips, axes: axes) }
  }

  var samples: Range<Int> { textCounts.indices }
  var textRows: [Range<Int>] { Self.runs(textCounts) }
  var imageRows: [Range<Int>] { Self.runs(textCounts.map { _ in imageCount }) }
  /// Text and image of one sample side by side.
  var jointRows: [Range<Int>] { Self.runs(textCounts.map { $0 + imageCount }) }

  private static func runs(_ counts: [Int]) -> [Range<Int>] {
    var end = 0
    return counts.map { count in
      defer { end += count }
      return end..<end + count
    }
  }

  /// A query sees what is not later than itself.
  ///
  /// Text has time 0 like the first frame, so the tokens are sorted by time and every block of equal time sees a
  /// prefix.
  func attentionBlocks(sample: Int) -> [AttentionBlock] {
    var start = 0
    return frameSizes.enumerated().map { index, size in
      let end = start + size + (index == 0 ? textCounts[sample] : 0)
      defer { start = end }
      return AttentionBlock(queries: start..<end, keys: end)
    }
  }
}

/// Projections to queries, keys and values with RMS norm of queries and keys per head.
struct AttentionProjection {
  private let query: Linear, key: Linear, value: Linear
  private let queryNorm: Weight, keyNorm: Weight

  /// The official names differ between the streams of a block.
  enum Stream {
    case image, text

    var names: (query: String, key: String, value: String, queryNorm: String, keyNorm: String) {
      switch self {
      case .image: ("to_q", "to_k", "to_v", "norm_q", "norm_k")
      case .text: ("add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k")
      }
    }
  }

  init(_ config: PyramidFluxConfig, _ stream: Stream, _ scope: WeightScope) throws {
    let names = stream.names
    let width = config.width
    queryNorm = try scope.scope(names.queryNorm).weight("weight", [config.headDim])
    keyNorm = try scope.scope(names.keyNorm).weight("weight", [config.headDim])
    query = try scope.linear(names.query, width, width)
    key = try scope.linear(names.key, width, width)
    value = try scope.linear(names.value, width, width)
  }

  /// x [tokens, width] → three of the same shape.
  func callAsFunction(
    _ x: Tensor, in context: KernelContext
  ) throws -> (query: Tensor, key: Tensor, value: Tensor) {
    let epsilon = PyramidFluxConfig.epsilon
    return (
      Normalization.rmsNorm(try query(x, in: context), weight: queryNorm.tensor(), epsilon: epsilon),
      Normalization.rmsNorm(try key(x, in: context), weight: keyNorm.tensor(), epsilon: epsilon),
      try value(x, in: context)
    )
  }
}

/// Rotates queries and keys and attends, one sample: all tensors are [tokens, width], text first.
func rotaryAttention(
  query: Tensor, key: Tensor, value: Tensor, sample: Int, layout: BatchLayout, config: PyramidFluxConfig,
  in context: KernelContext
) throws -> Tensor {
  let rotary = layout.rotary[sample]
  for tensor in [query, key] {
    RotaryEmbedding.rotate(tensor, cosines: rotary.cosines, sines: rotary.sines, heads: config.heads)
  }
  return try context.attention(
    AttentionInput(query: query, key: key, value: value, heads: config.heads),
    blocks: layout.attentionBlocks(sample: sample), scale: 1 / Float(config.headDim).squareRoot())
}

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
        x.rows(rows[sample]), scale: scales[sample], shift: shifts[sample], epsilon: PyramidFluxConfig.epsilon
      )
    })
}

/// Segments that add a gated product to the residual stream.
func gatedResidual(rows: [Range<Int>], gates: [Tensor]) -> [Linear.Segment] {
  zip(rows, gates).map { Linear.Segment(rows: $0, epilogue: [.gatedResidual($1)]) }
}

/// A block with separate streams for text and image that attend together (`FluxTransformerBlock`).
struct JointBlock {
  private struct Stream {
    let modulation: Modulation
    let projection: AttentionProjection
    let output: Linear
    let feedForward1: Linear, feedForward2: Linear

    /// Adds the attention's and then the feed-forward's share to the stream x [rows, width].
    func update(
      _ x: Tensor, attended: Tensor, modulation: [[Tensor]], rows: [Range<Int>], in context: KernelContext
    ) throws {
      try output(
        attended, into: x, segments: gatedResidual(rows: rows, gates: modulation.map { $0[2] }), in: context)
      let normed = modulatedNorm(
        x, rows: rows, scales: modulation.map { $0[4] }, shifts: modulation.map { $0[3] })
      let hidden = try feedForward1(normed, then: [.activation(.geluTanh)], in: context)
      try feedForward2(
        hidden, into: x, segments: gatedResidual(rows: rows, gates: modulation.map { $0[5] }), in: context)
    }
  }

  private let config: PyramidFluxConfig
  private let image: Stream, text: Stream

  init(_ config: PyramidFluxConfig, _ scope: WeightScope) throws {
    self.config = config
    let width = config.width
    let attention = scope.scope("attn")
    func stream(
      _ stream: AttentionProjection.Stream, norm: String, output: String, feedForward: String
    ) throws -> Stream {
      let network = scope.scope(feedForward).scope("net")
      return Stream(
        modulation: try Modulation(6, width: width, scope.scope(norm)),
        projection: try AttentionProjection(config, stream, attention),
        output: try attention.linear(output, width, width),
        feedForward1: try network.linear("0.proj", width, 4 * width),
        feedForward2: try network.linear("2", 4 * width, width))
    }
    image = try stream(.image, norm: "norm1", output: "to_out.0", feedForward: "ff")
    text = try stream(.text, norm: "norm1_context", output: "to_add_out", feedForward: "ff_context")
  }

  /// Updates both streams in place: text [Σ text tokens, width], image [samples · image tokens, width].
  func callAsFunction(
    text textStream: Tensor, image imageStream: Tensor, condition: Tensor, layout: BatchLayout,
    in context: KernelContext
  ) throws {
    let (textRows, imageRows) = (layout.textRows, layout.imageRows)
    let imageModulation = try image.modulation(condition, in: context)
    let textModulation = try text.modulation(condition, in: context)
    // Of each sample's six rows: shift, scale and gate of the attention, then of the feed-forward.
    let imageInput = modulatedNorm(
      imageStream, rows: imageRows, scales: imageModulation.map { $0[1] },
      shifts: imageModulation.map { $0[0] })
    let textInput = modulatedNorm(
      textStream, rows: textRows, scales: textModulation.map { $0[1] }, shifts: textModulation.map { $0[0] })
    let ofImage = try image.projection(imageInput, in: context)
    let ofText = try text.projection(textInput, in: context)
    var textAttended: [Tensor] = []
    var imageAttended: [Tensor] = []
    for sample in layout.samples {
      let (textRange, imageRange) = (textRows[sample], imageRows[sample])
      let attended = try rotaryAttention(
        query: .concatenated([ofText.query.rows(textRange), ofImage.query.rows(imageRange)]),
        key: .concatenated([ofText.key.rows(textRange), ofImage.key.rows(imageRange)]),
        value: .concatenated([ofText.value.rows(textRange), ofImage.value.rows(imageRange)]),
        sample: sample, layout: layout, config: config, in: context)
      textAttended.append(attended.rows(0..<textRange.count))
      imageAttended.append(attended.rows(textRange.count..<attended.shape[0]))
    }
    try image.update(
      imageStream, attended: .concatenated(imageAttended), modulation: imageModulation, rows: imageRows,
      in: context)
    try text.update(
      textStream, attended: .concatenated(textAttended), modulation: textModulation, rows: textRows,
      in: context)
  }
}

/// A block over text and image together, its feed-forward beside its attention (`FluxSingleTransformerBlock`).
struct SingleBlock {
  private let config: PyramidFluxConfig
  private let modulation: Modulation
  private let projection: AttentionProjection
  private let feedForward: Linear
  private let output: Linear

  init(_ config: PyramidFluxConfig, _ scope: WeightScope) throws {
    self.config = config
    let width = config.width
    modulation = try Modulation(3, width: width, scope.scope("norm"))
    feedForward = try scope.linear("proj_mlp", width, 4 * width)
    output = try scope.linear("proj_out", 5 * width, width)
    projection = try AttentionProjection(config, .image, scope.scope("attn"))
  }

  /// Updates the joint stream [Σ (text + image tokens), width] in place.
  func callAsFunction(
    _ stream: Tensor, condition: Tensor, layout: BatchLayout, in context: KernelContext
  ) throws {
    let rows = layout.jointRows
    let modulation = try modulation(condition, in: context)
    // Of each sample's three rows: shift, scale, gate.
    let input = modulatedNorm(
      stream, rows: rows, scales: modulation.map { $0[1] }, shifts: modulation.map { $0[0] })
    let hidden = try feedForward(input, then: [.activation(.geluTanh)], in: context)
    let (query, key, value) = try projection(input, in: context)
    let attended = try layout.samples.map { sample in
      let range = rows[sample]
      return try rotaryAttention(
        query: query.rows(range), key: key.rows(range), value: value.rows(range), sample: sample,
        layout: layout,
        config: config, in: context)
    }
    try output(
      Self.sideBySide(.concatenated(attended), hidden), into: stream,
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
