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

  /// Projects the given rows of x [tokens, width] into rows of what the attention reads.
  func callAsFunction(
    _ x: LinearInput, rows: [Range<Int>], into operands: AttentionOperands, at places: [Range<Int>],
    in context: KernelContext
  ) throws {
    for (linear, tensor) in [(query, operands.query), (key, operands.key), (value, operands.value)] {
      try linear(
        x, zip(rows, places).map { Linear.Segment(rows: $0, into: tensor.rows($1)) }, in: context)
    }
    for (weight, tensor) in [(queryNorm.tensor(), operands.query), (keyNorm.tensor(), operands.key)] {
      for rows in places.map(tensor.rows) {
        Normalization.rmsNorm(rows, weight: weight, epsilon: epsilon, into: rows)
      }
    }
  }
}

/// Queries, keys and values of all samples, [Σ (text + image tokens), width] each, text first in every sample.
struct AttentionOperands {
  let query: Tensor, key: Tensor, value: Tensor

  init(layout: BatchLayout, width: Int) {
    let shape = [layout.jointRows.last?.upperBound ?? 0, width]
    query = Tensor(shape)
    key = Tensor(shape)
    value = Tensor(shape)
  }

  /// Rotates queries and keys, which changes them, and attends, sample by sample.
  func attend(
    _ layout: BatchLayout, _ settings: AttentionSettings, isRounded: Bool, in context: KernelContext
  ) throws -> Tensor {
    let output = Tensor(query.shape)
    for (sample, rows) in layout.jointRows.enumerated() {
      let rotary = layout.rotary[sample]
      for tensor in [query, key] {
        RotaryEmbedding.rotate(
          tensor.rows(rows), cosines: rotary.cosines, sines: rotary.sines, heads: settings.heads)
      }
      try context.attention(
        AttentionInput(
          query: query.rows(rows), key: key.rows(rows), value: value.rows(rows), heads: settings.heads,
          isRounded: isRounded),
        blocks: layout.attentionBlocks(sample: sample), scale: 1 / Float(settings.headDim).squareRoot(),
        into: output.rows(rows))
    }
    return output
  }
}
