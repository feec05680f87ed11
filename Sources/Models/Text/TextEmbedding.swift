import Kernels
import Tensors

/// The embeddings of one text, as the transformer takes them.
package struct TextEmbedding {
  /// T5 embeddings without padding, [tokens, width].
  package let tokens: Tensor
  /// The pooled CLIP vector, [1, width].
  package let pooled: Tensor

  /// Creates an embedding.
  package init(tokens: Tensor, pooled: Tensor) {
    self.tokens = tokens
    self.pooled = pooled
  }
}
