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

/// What a transformer must be given.
public struct TransformerInputs: Equatable, Sendable {
  /// Channels of a latent.
  public let latentChannels: Int
  /// The width of the T5 embeddings and of the pooled CLIP vector.
  public let textWidth: Int, pooledWidth: Int
  /// The longest side of a clip in pixels.
  public let maximumSide: Int

  /// Whether an embedding has the widths that the transformer expects.
  public func accepts(_ text: TextEmbedding) -> Bool {
    text.tokens.shape[1] == textWidth && text.pooled.shape[1] == pooledWidth
  }
}

/// A pyramid transformer: predicts the flow of the last of a sequence of clips.
public protocol PyramidTransformer {
  /// What it must be given.
  var inputs: TransformerInputs { get }

  /// Predicts the flow of the last clip of every sample: [channels, frames, height, width] each.
  func callAsFunction(
    _ batch: [TransformerSample], observer: (any ActivationObserver)?, in context: KernelContext
  ) throws -> [Tensor]
}

/// What both transformers begin with: the condition and the text of a batch.
struct TransformerPrelude {
  private let timeTextEmbedding: TimeTextEmbedding
  private let contextEmbedder: Linear

  init(_ inputs: TransformerInputs, width: Int, _ scope: WeightScope) throws {
    timeTextEmbedding = try TimeTextEmbedding(
      pooledWidth: inputs.pooledWidth, width: width, scope.scope("time_text_embed"))
    contextEmbedder = try scope.linear("context_embedder", inputs.textWidth, width)
  }

  /// The condition [samples, width], already through the SiLU that every modulation starts with, and the text stream
  /// [Σ text tokens, width].
  func callAsFunction(
    _ batch: [TransformerSample], layout: BatchLayout, observer: (any ActivationObserver)?,
    in context: KernelContext
  ) throws -> (condition: Tensor, text: Tensor) {
    let condition = try timeTextEmbedding(
      times: batch.map(\.timestep), pooled: .concatenated(batch.map(\.pooled)), in: context)
    observer?.observe("time_text_embed", 0, .samples, condition, rows: layout.samples.map { $0..<$0 + 1 })
    let text = try contextEmbedder(.concatenated(batch.map(\.text)), in: context)
    observer?.observe("context_embedder", 0, .text, text, rows: layout.textRows)
    let activated = condition.copy()
    try context.apply(.silu, to: activated)
    return (activated, text)
  }
}

/// What both transformers end with: from the image stream to the flow of the last clip.
struct TransformerEnding {
  private let modulation: Modulation
  private let projection: Linear

  init(width: Int, outputWidth: Int, _ scope: WeightScope) throws {
    modulation = try Modulation(2, width: width, scope.scope("norm_out"))
    projection = try scope.linear("proj_out", width, outputWidth)
  }

  /// image [samples · image tokens, width] → a flow of the given shape for every sample.
  func callAsFunction(
    _ image: Tensor, condition: Tensor, layout: BatchLayout, shape: Shape,
    observer: (any ActivationObserver)?, in context: KernelContext
  ) throws -> [Tensor] {
    let rows = layout.imageRows
    let modulation = try modulation(condition, in: context)  // scale, shift
    let normed = modulatedNorm(
      image, rows: rows, scales: modulation.map { $0[0] }, shifts: modulation.map { $0[1] })
    observer?.observe("norm_out", 0, .image, normed, rows: rows)
    let projected = try projection(normed, in: context)
    observer?.observe("proj_out", 0, .image, projected, rows: rows)
    let predicted = layout.lastClipTokenCount
    return rows.map {
      Patches.latent(
        projected.rows($0.upperBound - predicted..<$0.upperBound), shape: shape, order: .pixelsFirst)
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
