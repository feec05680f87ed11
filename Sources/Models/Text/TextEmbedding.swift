import Kernels
import Tensors

/// A text as the transformer sees it.
package struct TextEmbedding {
  /// T5 embeddings without padding, [tokens, width].
  package let tokens: Tensor
  /// The pooled CLIP vector, [1, width].
  package let pooled: Tensor

  /// Gathers an embedding.
  package init(tokens: Tensor, pooled: Tensor) {
    self.tokens = tokens
    self.pooled = pooled
  }
}
