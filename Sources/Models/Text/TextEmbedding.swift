import Kernels
import Tensors

/// A text as the transformer sees it.
public struct TextEmbedding {
  /// T5 embeddings without padding, [tokens, width].
  public let tokens: Tensor
  /// The pooled CLIP vector, [1, width].
  public let pooled: Tensor

  /// Gathers an embedding.
  public init(tokens: Tensor, pooled: Tensor) {
    self.tokens = tokens
    self.pooled = pooled
  }
}
