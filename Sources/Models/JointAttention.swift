import Kernels
import Tensors

/// What the attention of a transformer depends on.
struct AttentionSettings: Equatable, Sendable {
  let heads: Int, headDim: Int
  /// Of the RMS norm of queries and keys.
  let normEpsilon: Float
  /// What the names of the text stream's two norms start with.
  let textNormPrefix: String

  /// The width of the residual stream.
  var width: Int { heads * headDim }
}

/// Projections to queries, keys and values with RMS norm of queries and keys per head.
struct AttentionProjection {
  private let query: Linear, key: Linear, value: Linear
  private let queryNorm: Weight, keyNorm: Weight
  private let epsilon: Float

  /// The official names differ between the streams of a block.
  enum Stream {
    case image, text
  }

  init(_ settings: AttentionSettings, _ stream: Stream, _ scope: WeightScope) throws {
    let width = settings.width
    let normPrefix = stream == .image ? "norm_" : settings.textNormPrefix
    queryNorm = try scope.scope(normPrefix + "q").weight("weight", [settings.headDim])
    keyNorm = try scope.scope(normPrefix + "k").weight("weight", [settings.headDim])
    query = try scope.linear(stream == .image ? "to_q" : "add_q_proj", width, width)
    key = try scope.linear(stream == .image ? "to_k" : "add_k_proj", width, width)
    value = try scope.linear(stream == .image ? "to_v" : "add_v_proj", width, width)
    epsilon = settings.normEpsilon
  }

  /// Whether the products are rounded anyway, so that those of the attention may be, too.
  var isRounded: Bool { query.precision != .wide && key.precision != .wide && value.precision != .wide }

  /// x [tokens, width] → three of the same shape.
  func callAsFunction(
    _ x: LinearInput, in context: KernelContext
  ) throws -> (query: Tensor, key: Tensor, value: Tensor) {
    (
      Normalization.rmsNorm(try query(x, in: context), weight: queryNorm.tensor(), epsilon: epsilon),
      Normalization.rmsNorm(try key(x, in: context), weight: keyNorm.tensor(), epsilon: epsilon),
      try value(x, in: context)
    )
  }
}

/// Rotates queries and keys and attends, one sample: all tensors are [tokens, width], text first.
func rotaryAttention(
  query: Tensor, key: Tensor, value: Tensor, sample: Int, layout: BatchLayout,
  settings: AttentionSettings, isRounded: Bool, in context: KernelContext
) throws -> Tensor {
  let rotary = layout.rotary[sample]
  for tensor in [query, key] {
    RotaryEmbedding.rotate(tensor, cosines: rotary.cosines, sines: rotary.sines, heads: settings.heads)
  }
  return try context.attention(
    AttentionInput(
      query: query, key: key, value: value, heads: settings.heads, isRounded: isRounded),
    blocks: layout.attentionBlocks(sample: sample), scale: 1 / Float(settings.headDim).squareRoot())
}
