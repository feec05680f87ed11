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
