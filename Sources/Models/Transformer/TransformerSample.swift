import Kernels
import Tensors

/// One sample of a transformer call.
package struct TransformerSample {
  /// T5 embeddings without padding, [tokens, textWidth].
  package let text: Tensor
  /// The pooled CLIP vector, [1, pooledWidth].
  package let pooled: Tensor
  /// The history from coarse to fine, then the noisy latent: each [channels, frames, height, width].
  package let clips: [Tensor]
  /// The time, 0 to 1000.
  package let timestep: Float

  /// Creates a sample; the samples of a batch must have clips of the same shapes.
  package init(text: Tensor, pooled: Tensor, clips: [Tensor], timestep: Float) {
    self.text = text
    self.pooled = pooled
    self.clips = clips
    self.timestep = timestep
  }

  /// Returns the number of tokens behind those of the first frames and the text; all of them for 0 frames.
  func tokenCount(after frames: Int) -> Int {
    let sizes = clips.map(Patches.extents).flatMap { Array(repeating: $0.tokensPerFrame, count: $0.frames) }
    return sizes.dropFirst(frames).reduce(frames == 0 ? text.shape[0] : 0, +)
  }
}
