import Files
import Foundation
import JSON
import Kernels
import Tensors

/// The encoder of T5 v1.1 (`transformers`, `modeling_t5.py`, `T5EncoderModel`).
package struct T5Encoder {
  /// The settings.
  package let config: T5Config
  private let embedding: Weight
  private let relativeBias: Weight
  private let blocks: [Block]
  private let finalNorm: Weight
  /// Where each block's weights are.
  private let scopes: [WeightScope]

  private struct Block {
    let query: Linear, key: Linear, value: Linear, output: Linear
    let attentionNorm: Weight
    let gate: Linear, up: Linear, down: Linear
    let feedForwardNorm: Weight

    init(_ config: T5Config, _ scope: WeightScope, relativeBias: (WeightScope) throws -> Void) throws {
      let attention = scope.scope("layer.0.SelfAttention")
      let inner = config.heads * config.headDim
      query = try attention.linear("q", config.width, inner, bias: false)
      key = try attention.linear("k", config.width, inner, bias: false)
      value = try attention.linear("v", config.width, inner, bias: false)
      output = try attention.linear("o", inner, config.width, bias: false)
      try relativeBias(attention)
      attentionNorm = try scope.weight("layer.0.layer_norm.weight", [config.width])
      let feedForward = scope.scope("layer.1.DenseReluDense")
      gate = try feedForward.linear("wi_0", config.width, config.feedForwardWidth, bias: false)
      up = try feedForward.linear("wi_1", config.width, config.feedForwardWidth, bias: false)
      down = try feedForward.linear("wo", config.feedForwardWidth, config.width, bias: false)
      feedForwardNorm = try scope.weight("layer.1.layer_norm.weight", [config.width])
    }
  }

  /// Builds the encoder from its weights.
  package init(_ config: T5Config, _ root: WeightScope) throws {
    self.config = config
    embedding = try root.weight(
      "shared.weight", [config.vocabularySize, config.width], use: .table,
      aliases: ["encoder.embed_tokens.weight"])
    let scope = root.scope("encoder")
    var bias: Weight?
    let scopes = (0..<config.layers).map { scope.scope("block.\($0)") }
    self.scopes = scopes
    blocks = try scopes.enumerated().map { index, scope in
      try Block(config, scope) { attention in
        // Only the first block has a relative bias, which all blocks use.
        if index == 0 {
          bias = try attention.weight(
            "relative_attention_bias.weight", [config.buckets, config.heads], use: .table)
        }
      }
    }
    finalNorm = try scope.weight("final_layer_norm.weight", [config.width])
    guard let bias else {
      throw BenbenError(.internalDefect, "T5 was built", at: "block 0", because: "no block")
    }
    relativeBias = bias
  }

  /// Returns the embeddings [tokens, width] of texts' token ids without padding, all in one pass over the weights.
  ///
  /// The official model masks padding so that it affects nothing; it must not be passed here.
  ///
  /// - Parameter onBlock: called after every block with the number of those done and of all.
  /// - Throws: ``BenbenError`` when an id is outside the vocabulary; `CancellationError` between blocks; what `onBlock`
  ///   throws.
  package func callAsFunction(
    _ texts: [[Int]], in context: KernelContext, onBlock: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> [Tensor] {
    let ids = texts.flatMap { $0 }
    guard ids.allSatisfy({ 0..<config.vocabularySize ~= $0 }) else {
      throw BenbenError(
        .malformed, "token ids do not fit the text encoder", at: "T5",
        because: "the largest is \(ids.max() ?? 0) for \(config.vocabularySize) entries",
        remedies: ["The tokenizer and the text encoder are not of the same checkpoint."])
    }
    var end = 0
    let runs = texts.map { text in
      defer { end += text.count }
      return end..<end + text.count
    }
    let x = embedding.rows(ids)  // [Σ tokens, width]
    let biases = texts.map { positionBias(tokens: $0.count) }
    for (index, block) in blocks.enumerated() {
      try Task.checkCancellation()
      // All weights are read once: on a cold disk that takes longer than computing with them.
      if index + 1 < scopes.count { scopes[index + 1].readAhead() }
      let normed = LinearInput(
        Normalization.rmsNorm(x, weight: block.attentionNorm.tensor(), epsilon: config.epsilon))
      let query = try block.query(normed, in: context)
      let key = try block.key(normed, in: context)
      let value = try block.value(normed, in: context)
      let attended = Tensor(query.shape)
      for (rows, bias) in zip(runs, biases) {
        try context.attention(
          AttentionInput(
            query: query.rows(rows), key: key.rows(rows), value: value.rows(rows), heads: config.heads),
          blocks: [AttentionBlock(queries: 0..<rows.count, keys: rows.count)], scale: 1, bias: bias,
          into: attended.rows(rows))
      }
      try block.output(LinearInput(attended), into: x, then: [.residual], in: context)
      let inner = LinearInput(
        Normalization.rmsNorm(x, weight: block.feedForwardNorm.tensor(), epsilon: config.epsilon))
      let gate = try block.gate(inner, then: [.activation(.geluTanh)], in: context)
      let hidden = try block.up(inner, then: [.multiply(gate)], in: context)
      try block.down(LinearInput(hidden), into: x, then: [.residual], in: context)
      try onBlock(index + 1, blocks.count)
    }
    let embeddings = Normalization.rmsNorm(x, weight: finalNorm.tensor(), epsilon: config.epsilon)
    return runs.map(embeddings.rows)
  }

  /// Returns the learnt bias of every head for every pair of positions, [heads, tokens, tokens].
  private func positionBias(tokens: Int) -> Tensor {
    let table = relativeBias.tensor()  // [buckets, heads]
    let bias = Tensor([config.heads, tokens, tokens])
    for query in 0..<tokens {
      for key in 0..<tokens {
        let bucket = bucket(distance: key - query)
        for head in 0..<config.heads {
          bias.elements[(head * tokens + query) * tokens + key] = table.elements[bucket * config.heads + head]
        }
      }
    }
    return bias
  }

  /// Returns the bucket of a signed distance (`_relative_position_bucket`, bidirectional): half of the buckets for each
  /// sign, of which half are exact and the others grow logarithmically.
  func bucket(distance: Int) -> Int {
    let half = config.buckets / 2
    let exact = half / 2
    let magnitude = abs(distance)
    let base = distance > 0 ? half : 0
    if magnitude < exact { return base + magnitude }
    let ratio = log(Float(magnitude) / Float(exact)) / log(Float(config.maximumDistance) / Float(exact))
    return base + min(exact + Int(ratio * Float(half - exact)), half - 1)
  }
}
