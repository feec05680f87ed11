import Kernels
import Tensors

/// One sample of a transformer call.
package struct TransformerSample {
  /// T5 embeddings without padding, [tokens, textWidth].
  package let text: Tensor
  /// The pooled CLIP vector, [1, pooledWidth].
  package let pooled: Tensor
  /// The history from coarse to fine, then the noisy latent if its flow is predicted: each [channels, frames, height, width].
  package let clips: [Tensor]
  /// The time, 0 to 1000.
  package let timestep: Float
  /// Whether the flow of the last clip is predicted; otherwise only keys and values are computed, for a `CallHistory` to keep.
  package let isPredicted: Bool

  /// Creates a sample; the samples of a batch must have clips of the same shapes.
  package init(text: Tensor, pooled: Tensor, clips: [Tensor], timestep: Float, isPredicted: Bool = true) {
    self.text = text
    self.pooled = pooled
    self.clips = clips
    self.timestep = timestep
    self.isPredicted = isPredicted
  }

  /// Returns the number of tokens behind those of the first frames and the text; all of them for 0 frames.
  func tokenCount(after frames: Int) -> Int {
    let sizes = clips.map(Patches.extents).flatMap { Array(repeating: $0.tokensPerFrame, count: $0.frames) }
    return sizes.dropFirst(frames).reduce(frames == 0 ? text.shape[0] : 0, +)
  }
}
