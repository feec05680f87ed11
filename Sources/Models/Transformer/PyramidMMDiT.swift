import Kernels
import Tensors

/// The SD3 pyramid transformer (`pyramid_dit/mmdit_modules/modeling_pyramid_mmdit.py`, commit 3040d71,
/// `PyramidDiffusionMMDiT`), as the pipeline builds it: temporal rotary positions, interpolated positions of coarse
/// conditions, temporal causal attention.
package struct PyramidMMDiT: PyramidTransformer {
  /// The settings.
  package let config: PyramidMMDiTConfig
  private let positions: SinCosPositions
  private let latentEmbedder: Linear
  private let prelude: TransformerStem
  private let blocks: [JointBlock]
  private let ending: TransformerHead

  /// The inputs that the transformer expects.
  package var inputs: TransformerInputs { config.inputs }

  package var historyShape: HistoryShape {
    HistoryShape(
      layers: blocks.count, width: config.attention.width,
      isRounded: KernelContext.multipliesBFloat16 && blocks.allSatisfy(\.attendsRounded))
  }

  /// Builds the transformer from its weights.
  package init(_ config: PyramidMMDiTConfig, _ scope: WeightScope) throws {
    self.config = config
    let settings = config.attention
    let embedding = scope.scope("pos_embed")
    positions = try SinCosPositions(side: config.positionSide, width: settings.width, embedding)
    // A convolution whose stride equals its kernel is a matrix product of patches.
    latentEmbedder = try embedding.linear(
      "proj", config.inputs.latentChannels * Patches.side * Patches.side, settings.width,
      storedShape: [settings.width, config.inputs.latentChannels, Patches.side, Patches.side])
    prelude = try TransformerStem(config.inputs, width: settings.width, scope)
    blocks = try (0..<config.layers).map {
      try JointBlock(settings, endsText: $0 == config.layers - 1, scope.scope("transformer_blocks.\($0)"))
    }
    ending = try TransformerHead(
      width: settings.width, outputWidth: config.inputs.latentChannels * Patches.side * Patches.side, scope)
  }

  package func forEachModulation(
    timesteps: [Float], pooled: Tensor, in context: KernelContext, _ body: (Tensor) -> Void
  ) throws {
    let condition = try prelude.condition(
      timesteps: timesteps, pooled: .concatenated(timesteps.map { _ in pooled }), in: context)
    for modulation in blocks.flatMap(\.modulations) {
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
    // The only axis is time; text has time 0, like the first frame.
    let layout = BatchLayout(
      batch, axes: [config.attention.headDim], knownFrames: history?.knownFrames ?? 0)
    let (condition, text) = try prelude(batch, layout: layout, observer: observer, in: context)
    let all = positions(layout.clips)
    let image = Tensor.concatenated(
      layout.samples.map { _ in all.rows(layout.knownImageCount..<all.shape[0]) })
    try layout.embed(
      batch, order: .channelsFirst, by: latentEmbedder, into: image, then: [.residual], in: context)
    // Only the last clip's tokens are read in the end, unless all are observed.
    let lastLayout = observer == nil ? layout.with(first.isPredicted ? .lastClip : .none) : layout
    for (index, block) in blocks.enumerated() {
      try Task.checkCancellation()
      try block(
        text: text, image: image, condition: condition,
        layout: index == blocks.count - 1 ? lastLayout : layout,
        history: LayerHistory(history, layer: index), in: context)
      if index < blocks.count - 1 {
        try observer?.observe("transformer_blocks.\(index)", 0, .text, text, rows: layout.textRows)
      }
      try observer?.observe("transformer_blocks.\(index)", 1, .image, image, rows: layout.imageRows)
    }
    guard lastLayout.hasQueries else { return [] }
    return try ending(
      image, rows: lastLayout.imageQueryRows, condition: condition, layout: layout, shape: last.shape,
      observer: observer, in: context)
  }
}
