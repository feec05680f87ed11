import Kernels
import Tensors

/// The first layers of both transformers, which compute the condition and the text stream of a batch.
struct TransformerStem {
  private let timeTextEmbedding: TimeTextEmbedding
  private let contextEmbedder: Linear

  init(_ inputs: TransformerInputs, width: Int, _ scope: WeightScope) throws {
    timeTextEmbedding = try TimeTextEmbedding(
      pooledWidth: inputs.pooledWidth, width: width, scope.scope("time_text_embed"))
    contextEmbedder = try scope.linear("context_embedder", inputs.textWidth, width)
  }

  /// Computes the condition [samples, width], already through the SiLU that every modulation starts with, and the text
  /// stream [Σ text tokens, width].
  func callAsFunction(
    _ batch: [TransformerSample], layout: BatchLayout, observer: (any ActivationObserver)?,
    in context: KernelContext
  ) throws -> (condition: Tensor, text: Tensor) {
    let condition = try condition(
      timesteps: batch.map(\.timestep), pooled: .concatenated(batch.map(\.pooled)), in: context
    ) {
      try observer?.observe("time_text_embed", 0, .samples, $0, rows: layout.samples.map { $0..<$0 + 1 })
    }
    let text = try contextEmbedder(
      .concatenated(zip(batch, layout.textCounts).map { $0.text.rows(0..<$1) }), in: context)
    try observer?.observe("context_embedder", 0, .text, text, rows: layout.textRows)
    return (condition, text)
  }

  /// Computes the condition [samples, width] from the samples' timesteps and pooled texts [samples, pooledWidth].
  ///
  /// - Parameter onEmbedding: receives it before the SiLU.
  func condition(
    timesteps: [Float], pooled: Tensor, in context: KernelContext,
    onEmbedding: (Tensor) throws -> Void = { _ in }
  ) throws -> Tensor {
    let condition = try timeTextEmbedding(times: timesteps, pooled: pooled, in: context)
    try onEmbedding(condition)
    try context.apply(.silu, to: condition)
    return condition
  }
}
