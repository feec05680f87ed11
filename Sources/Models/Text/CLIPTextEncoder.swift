import Files
import JSON
import Kernels
import Tensors

/// CLIP's text transformer (`transformers`, `modeling_clip.py`, `CLIPTextModel` and `CLIPTextModelWithProjection`).
package struct CLIPTextEncoder {
  /// The settings.
  package let config: CLIPTextConfig
  private let tokenEmbedding: Weight
  private let positionEmbedding: Weight
  private let layers: [Layer]
  private let finalNorm: NormWeights
  private let projection: Linear?

  private struct Layer {
    let query: Linear, key: Linear, value: Linear, output: Linear
    let norm1: NormWeights, norm2: NormWeights
    let feedForward1: Linear, feedForward2: Linear

    init(_ config: CLIPTextConfig, _ scope: WeightScope) throws {
      let attention = scope.scope("self_attn")
      let width = config.width
      key = try attention.linear("k_proj", width, width)
      value = try attention.linear("v_proj", width, width)
      query = try attention.linear("q_proj", width, width)
      output = try attention.linear("out_proj", width, width)
      norm1 = try scope.norm("layer_norm1", width)
      feedForward1 = try scope.scope("mlp").linear("fc1", width, config.feedForwardWidth)
      feedForward2 = try scope.scope("mlp").linear("fc2", config.feedForwardWidth, width)
      norm2 = try scope.norm("layer_norm2", width)
    }
  }

  /// Builds the encoder from its weights.
  package init(_ config: CLIPTextConfig, _ root: WeightScope) throws {
    self.config = config
    let scope = root.scope("text_model")
    let embeddings = scope.scope("embeddings")
    tokenEmbedding = try embeddings.weight(
      "token_embedding.weight", [config.vocabularySize, config.width], use: .table)
    positionEmbedding = try embeddings.weight(
      "position_embedding.weight", [config.positions, config.width], use: .table)
    layers = try (0..<config.layers).map { try Layer(config, scope.scope("encoder.layers.\($0)")) }
    finalNorm = try scope.norm("final_layer_norm", config.width)
    projection = try config.projectionWidth.map {
      try root.linear("text_projection", config.width, $0, bias: false)
    }
  }

  /// Returns the position at which the official model pools: that of the largest id when the config's end-of-text id is
  /// 2 (as in all releases), else that of the first end-of-text id.
  func poolingPosition(_ ids: [Int]) -> Int {
    if config.endOfTextID == 2 { return ids.indices.max { (ids[$0], $1) < (ids[$1], $0) } ?? 0 }
    return ids.firstIndex(of: config.endOfTextID) ?? 0
  }

  /// Returns the pooled vector of token ids: [1, width] (`pooler_output`), or [1, projectionWidth] (`text_embeds`).
  ///
  /// Attention is causal, so tokens after the pooled one cannot affect it and are not computed.
  ///
  /// - Throws: ``BenbenError`` when an id is outside the vocabulary or there are more ids than positions.
  package func pooled(_ ids: [Int], in context: KernelContext) throws -> Tensor {
    guard let largest = ids.max(), largest < config.vocabularySize, ids.allSatisfy({ $0 >= 0 }),
      ids.count <= config.positions
    else {
      throw BenbenError(
        .malformed, "token ids do not fit the text encoder", at: "CLIP",
        because: "\(ids.count) ids, the largest \(ids.max() ?? 0), for \(config.vocabularySize) entries",
        remedies: ["The tokenizer and the text encoder are not of the same checkpoint."])
    }
    let count = poolingPosition(ids) + 1
    let tokens = tokenEmbedding.rows(Array(ids[..<count]))
    let x = Elementwise.combine(tokens, 1, positionEmbedding.rows(Array(0..<count)), 1)  // [tokens, width]
    let mask = Self.causalMask(count)
    let scale = 1 / Float(config.width / config.heads).squareRoot()
    for layer in layers {
      try Task.checkCancellation()
      try forward(layer, x, mask: mask, scale: scale, in: context)
    }
    let pooled = finalNorm.layerNorm(x.rows(count - 1..<count), epsilon: config.epsilon)
    return try projection?(pooled, in: context) ?? pooled
  }

  /// Returns the causal mask [1, tokens, tokens]: 0 where a query may attend, elsewhere so far below any score that the
  /// attention weight is zero.
  private static func causalMask(_ count: Int) -> Tensor {
    let mask = Tensor.zeros([1, count, count])
    for query in 0..<count {
      for key in query + 1..<max(count, query + 1) { mask.elements[query * count + key] = -1e30 }
    }
    return mask
  }

  /// Updates the residual stream x [tokens, width] in place.
  private func forward(
    _ layer: Layer, _ x: Tensor, mask: Tensor, scale: Float, in context: KernelContext
  ) throws {
    let all = 0..<x.shape[0]
    let normed = LinearInput(layer.norm1.layerNorm(x, epsilon: config.epsilon))
    let attended = try context.attention(
      AttentionInput(
        query: try layer.query(normed, in: context), key: try layer.key(normed, in: context),
        value: try layer.value(normed, in: context), heads: config.heads),
      blocks: [AttentionBlock(queries: all, keys: all.count)], scale: scale, bias: mask)
    try layer.output(LinearInput(attended), into: x, then: [.residual], in: context)
    let hidden = try layer.feedForward1(
      layer.norm2.layerNorm(x, epsilon: config.epsilon), then: [.activation(config.activation)], in: context)
    try layer.feedForward2(LinearInput(hidden), into: x, then: [.residual], in: context)
  }
}
