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

  /// Whether all three projections round their inputs, so that the attention may round its own too.
  var isRounded: Bool {
    query.precision != .float32 && key.precision != .float32 && value.precision != .float32
  }

  /// Projects the given rows of x [tokens, width] into rows of the attention's operands.
  ///
  /// - Parameters:
  ///   - rows: the rows of each sample in x.
  ///   - places: their rows in the joint sequence.
  func callAsFunction(
    _ x: LinearInput, rows: [Range<Int>], into operands: AttentionOperands, at places: [Range<Int>],
    _ layout: BatchLayout, in context: KernelContext
  ) throws {
    let keys = layout.keys(of: places)
    let targets = [(query, operands.query, places), (key, operands.key, keys), (value, operands.value, keys)]
    for (linear, tensor, places) in targets {
      try linear(
        x, zip(rows, places).map { Linear.Segment(rows: $0, into: tensor.rows($1)) }, in: context)
    }
    for (weight, tensor, places) in [(queryNorm, operands.query, places), (keyNorm, operands.key, keys)] {
      let weight = weight.tensor()
      for rows in places.map(tensor.rows) {
        Normalization.rmsNorm(rows, weight: weight, epsilon: epsilon, into: rows)
      }
    }
  }
}
