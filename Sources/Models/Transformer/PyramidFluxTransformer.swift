import Kernels
import Tensors

/// The miniFLUX pyramid transformer (`pyramid_dit/flux_modules/modeling_pyramid_flux.py`, commit 3040d71,
/// `PyramidFluxTransformer`).
package struct PyramidFluxTransformer: PyramidTransformer {
  /// The settings.
  package let config: PyramidFluxConfig
  private let prelude: TransformerStem
  private let latentEmbedder: Linear
  private let jointBlocks: [JointBlock]
  private let singleBlocks: [SingleBlock]
  private let ending: TransformerHead

  /// The inputs that the transformer expects.
  package var inputs: TransformerInputs { config.inputs }

  package var historyShape: HistoryShape {
    HistoryShape(
      layers: jointBlocks.count + singleBlocks.count, width: config.attention.width,
      isRounded: KernelContext.multipliesBFloat16 && jointBlocks.allSatisfy(\.attendsRounded)
        && singleBlocks.allSatisfy(\.attendsRounded))
  }

  /// Builds the transformer from its weights.
  package init(_ config: PyramidFluxConfig, _ scope: WeightScope) throws {
    self.config = config
    let settings = config.attention
    prelude = try TransformerStem(config.inputs, width: settings.width, scope)
    latentEmbedder = try scope.linear("x_embedder", config.inputWidth, settings.width)
    jointBlocks = try (0..<config.jointLayers).map {
      try JointBlock(settings, scope.scope("transformer_blocks.\($0)"))
    }
    singleBlocks = try (0..<config.singleLayers).map {
      try SingleBlock(settings, scope.scope("single_transformer_blocks.\($0)"))
    }
    ending = try TransformerHead(width: settings.width, outputWidth: config.inputWidth, scope)
  }

  package func forEachModulation(
    timesteps: [Float], pooled: Tensor, in context: KernelContext, _ body: (Tensor) -> Void
  ) throws {
    let condition = try prelude.condition(
      timesteps: timesteps, pooled: .concatenated(timesteps.map { _ in pooled }), in: context)
    for modulation in jointBlocks.flatMap(\.modulations) + singleBlocks.map(\.modulation) {
      body(try modulation.values(condition, in: context))
    }
  }

  /// Predicts the flow of the last clip of every sample: [channels, frames, height, width] each; nothing where none is to
  /// be predicted.
  package func callAsFunction(
    _ batch: [TransformerSample], history: (any CallHistory)? = nil,
    observer: (any ActivationObserver)? = nil, in context: KernelContext
  ) throws -> [Tensor] {
    guard let first = batch.first, let last = first.clips.last else { return [] }
    let layout = BatchLayout(batch, axes: config.rotaryAxes, knownFrames: history?.knownFrames ?? 0)
    let (textRows, imageRows, jointRows) = (layout.textRows, layout.imageRows, layout.jointRows)
    let (condition, text) = try prelude(batch, layout: layout, observer: observer, in: context)
    let image = Tensor([imageRows.last?.upperBound ?? 0, config.attention.width])
    try layout.embed(batch, order: .pixelsFirst, by: latentEmbedder, into: image, in: context)
    try observer?.observe("x_embedder", 0, .image, image, rows: imageRows)
    for (index, block) in jointBlocks.enumerated() {
      try Task.checkCancellation()
      try block(
        text: text, image: image, condition: condition, layout: layout,
        history: LayerHistory(history, layer: index), in: context)
      try observer?.observe("transformer_blocks.\(index)", 0, .text, text, rows: textRows)
      try observer?.observe("transformer_blocks.\(index)", 1, .image, image, rows: imageRows)
    }
    let joint = Tensor.concatenated(
      layout.samples.flatMap { [text.rows(textRows[$0]), image.rows(imageRows[$0])] })
    // Only the last clip's tokens are read in the end, unless all are observed.
    let lastLayout = observer == nil ? layout.with(first.isPredicted ? .lastClip : .none) : layout
    for (index, block) in singleBlocks.enumerated() {
      try Task.checkCancellation()
      try block(
        joint, condition: condition, layout: index == singleBlocks.count - 1 ? lastLayout : layout,
        history: LayerHistory(history, layer: jointBlocks.count + index), in: context)
      try observer?.observe(
        "single_transformer_blocks.\(index)", 0, .textThenImage(textCounts: layout.textCounts), joint,
        rows: jointRows)
    }
    guard lastLayout.hasQueries else { return [] }
    let rows = zip(layout.jointRows, lastLayout.imageQueryRows).map {
      $0.upperBound - $1.count..<$0.upperBound
    }
    return try ending(
      joint, rows: rows, condition: condition, layout: layout, shape: last.shape, observer: observer,
      in: context)
  }
}
