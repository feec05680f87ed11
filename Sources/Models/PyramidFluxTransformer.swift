import Kernels
import Tensors

/// One sample of a transformer call.
public struct TransformerSample {
  /// T5 embeddings without padding, [tokens, textWidth].
  public let text: Tensor
  /// The pooled CLIP vector, [1, pooledWidth].
  public let pooled: Tensor
  /// The history from coarse to fine, then the noisy latent: each [channels, frames, height, width].
  public let clips: [Tensor]
  /// The time, 0 to 1000.
  public let timestep: Float

  /// Gathers a sample; the samples of a batch must have clips of the same shapes.
  public init(text: Tensor, pooled: Tensor, clips: [Tensor], timestep: Float) {
    self.text = text
    self.pooled = pooled
    self.clips = clips
    self.timestep = timestep
  }
}

/// The miniFLUX pyramid transformer (`pyramid_dit/flux_modules/modeling_pyramid_flux.py`, commit 3040d71,
/// `PyramidFluxTransformer`).
public struct PyramidFluxTransformer {
  /// The settings.
  public let config: PyramidFluxConfig
  private let timeTextEmbedding: TimeTextEmbedding
  private let contextEmbedder: Linear
  private let latentEmbedder: Linear
  private let jointBlocks: [JointBlock]
  private let singleBlocks: [SingleBlock]
  private let outputModulation: Modulation
  private let outputProjection: Linear

  /// Builds the transformer from its weights.
  public init(_ config: PyramidFluxConfig, _ scope: WeightScope) throws {
    self.config = config
    timeTextEmbedding = try TimeTextEmbedding(
      pooledWidth: config.pooledWidth, width: config.width, scope.scope("time_text_embed"))
    contextEmbedder = try scope.linear("context_embedder", config.textWidth, config.width)
    latentEmbedder = try scope.linear("x_embedder", config.inputWidth, config.width)
    jointBlocks = try (0..<config.jointLayers).map {
      try JointBlock(config, scope.scope("transformer_blocks.\($0)"))
    }
    singleBlocks = try (0..<config.singleLayers).map {
      try SingleBlock(config, scope.scope("single_transformer_blocks.\($0)"))
    }
    outputModulation = try Modulation(2, width: config.width, scope.scope("norm_out"))
    outputProjection = try scope.linear("proj_out", config.width, config.inputWidth)
  }

  /// Predicts the flow of the last clip of every sample: [channels, frames, height, width] each.
  public func callAsFunction(
    _ batch: [TransformerSample], observer: (any ActivationObserver)? = nil, in context: KernelContext
  ) throws -> [Tensor] {
    guard let first = batch.first, let last = first.clips.last else { return [] }
    precondition(batch.allSatisfy { $0.clips.map(\.shape) == first.clips.map(\.shape) })
    let patch = PyramidFluxConfig.patch
    let extents = first.clips.map {
      ClipExtents(frames: $0.shape[1], height: $0.shape[2] / patch, width: $0.shape[3] / patch)
    }
    let layout = BatchLayout(
      textCounts: batch.map { $0.text.shape[0] }, clips: extents, axes: config.rotaryAxes)
    let (textRows, imageRows, jointRows) = (layout.textRows, layout.imageRows, layout.jointRows)

    let condition = try timeTextEmbedding(
      times: batch.map(\.timestep), pooled: .concatenated(batch.map(\.pooled)), in: context)
    observer?.observe("time_text_embed", 0, .samples, condition, rows: layout.samples.map { $0..<$0 + 1 })
    let text = try contextEmbedder(.concatenated(batch.map(\.text)), in: context)
    observer?.observe("context_embedder", 0, .text, text, rows: textRows)
    let image = try latentEmbedder(
      .concatenated(batch.flatMap { $0.clips.map(Self.patchified) }), in: context)
    observer?.observe("x_embedder", 0, .image, image, rows: imageRows)

    // Every modulation starts with the same SiLU.
    let activated = condition.copy()
    try context.apply(.silu, to: activated)
    for (index, block) in jointBlocks.enumerated() {
      try block(text: text, image: image, condition: activated, layout: layout, in: context)
      observer?.observe("transformer_blocks.\(index)", 0, .text, text, rows: textRows)
      observer?.observe("transformer_blocks.\(index)", 1, .image, image, rows: imageRows)
    }
    let joint = Tensor.concatenated(
      layout.samples.flatMap { [text.rows(textRows[$0]), image.rows(imageRows[$0])] })
    for (index, block) in singleBlocks.enumerated() {
      try block(joint, condition: activated, layout: layout, in: context)
      observer?.observe(
        "single_transformer_blocks.\(index)", 0, .textThenImage(textCounts: layout.textCounts), joint,
        rows: jointRows)
    }

    let modulation = try outputModulation(activated, in: context)  // scale, shift
    let imageOutput = Tensor.concatenated(
      layout.samples.map {
        joint.rows(jointRows[$0].lowerBound + layout.textCounts[$0]..<jointRows[$0].upperBound)
      })
    let normed = modulatedNorm(
      imageOutput, rows: imageRows, scales: modulation.map { $0[0] }, shifts: modulation.map { $0[1] })
    observer?.observe("norm_out", 0, .image, normed, rows: imageRows)
    let projected = try outputProjection(normed, in: context)
    observer?.observe("proj_out", 0, .image, projected, rows: imageRows)
    let predicted = extents[extents.count - 1].tokenCount
    return imageRows.map { rows in
      Self.unpatchified(projected.rows(rows.upperBound - predicted..<rows.upperBound), shape: last.shape)
    }
  }

  /// [channels, frames, height, width] → [tokens, 4·channels]: a token holds its four pixels one after the other.
  private static func patchified(_ latent: Tensor) -> Tensor {
    let (channels, frames, height, width) = (
      latent.shape[0], latent.shape[1], latent.shape[2], latent.shape[3]
    )
    let result = Tensor([frames * (height / 2) * (width / 2), 4 * channels])
    forEachPixel(channels, frames, height, width) { result.elements[$0] = latent.elements[$1] }
    return result
  }

  /// The inverse of ``patchified(_:)``.
  private static func unpatchified(_ tokens: Tensor, shape: Shape) -> Tensor {
    let result = Tensor(shape)
    forEachPixel(shape[0], shape[1], shape[2], shape[3]) { result.elements[$1] = tokens.elements[$0] }
    return result
  }

  /// Visits every value with its place among the tokens and its place in the latent.
  private static func forEachPixel(
    _ channels: Int, _ frames: Int, _ height: Int, _ width: Int, _ body: (_ token: Int, _ latent: Int) -> Void
  ) {
    for channel in 0..<channels {
      for frame in 0..<frames {
        for y in 0..<height {
          for x in 0..<width {
            let token = (frame * (height / 2) + y / 2) * (width / 2) + x / 2
            let feature = (y % 2 * 2 + x % 2) * channels + channel
            body(token * 4 * channels + feature, ((channel * frames + frame) * height + y) * width + x)
          }
        }
      }
    }
  }
}

extension ActivationObserver {
  /// Shows a batch's rows, cut into samples.
  func observe(
    _ module: String, _ output: Int, _ stream: ObservedStream, _ tensor: Tensor, rows: [Range<Int>]
  ) {
    observe(module: module, output: output, stream: stream, samples: rows.map(tensor.rows))
  }
}
