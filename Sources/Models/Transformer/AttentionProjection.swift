import Kernels
import Tensors

/// Projections to queries, keys and values with RMS norm of queries and keys per head.
struct AttentionProjection {
  private let query: Linear, key: Linear, value: Linear
  private let queryNorm: Weight, keyNorm: Weight
  private let epsilon: Float

  /// A stream of a block; the official names differ between the two.
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

  /// The layers that read the input.
  var layers: [Linear] { [query, key, value] }

  /// Whether all three projections round their inputs, so that the attention may round its own too.
  var isRounded: Bool {
    query.precision != .float32 && key.precision != .float32 && value.precision != .float32
  }

  /// Rows of a projection's input, and where their projections go, a range for each sample.
  typealias Rows = (from: [Range<Int>], to: [Range<Int>])

  /// Projects rows of x [tokens, width] into rows of the attention's operands: some to queries, others to keys and values.
  func callAsFunction(
    _ x: LinearInput, queries: Rows, keys: Rows, into operands: AttentionOperands, in context: KernelContext
  ) throws {
    try query(
      x, heads(queries, operands.query, queryNorm, operands.queryRotations(queries.to)), in: context)
    try key(x, heads(keys, operands.key, keyNorm, operands.keyRotations(keys.to)), in: context)
    try value(
      x, zip(keys.from, keys.to).map { Linear.Segment(rows: $0, into: operands.value.rows($1)) }, in: context)
  }

  private func heads(
    _ rows: Rows, _ output: Tensor, _ norm: Weight, _ rotations: [RotaryPositions]
  ) -> [Linear.Segment] {
    let weight = norm.tensor()
    return rotations.indices.map {
      let heads = HeadNormalization(
        weight: weight, epsilon: epsilon, cosines: rotations[$0].cosines, sines: rotations[$0].sines)
      return Linear.Segment(
        rows: rows.from[$0], into: output.rows(rows.to[$0]), then: [.normalizedHeads(heads)])
    }
  }
}
