import Kernels
import Tensors

/// The inputs that a transformer expects.
package struct TransformerInputs: Equatable, Sendable {
  /// The number of channels of a latent.
  package let latentChannels: Int
  /// The width of the T5 embeddings, and that of the pooled CLIP vector.
  package let textWidth: Int, pooledWidth: Int
  /// The longest side of a clip in pixels.
  package let maximumSide: Int

  /// Creates a description of a transformer's inputs.
  package init(latentChannels: Int, textWidth: Int, pooledWidth: Int, maximumSide: Int) {
    self.latentChannels = latentChannels
    self.textWidth = textWidth
    self.pooledWidth = pooledWidth
    self.maximumSide = maximumSide
  }

  /// Returns whether an embedding has the widths that the transformer expects.
  package func accepts(_ text: TextEmbedding) -> Bool {
    text.tokens.shape[1] == textWidth && text.pooled.shape[1] == pooledWidth
  }
}
