import CDNNL
import Tensors

/// Queries, keys and values of all heads, token by token: each is [tokens, heads·headDim].
package struct AttentionInput {
  let query: Tensor, key: Tensor, value: Tensor
  let heads: Int
  let isRounded: Bool

  /// Groups the operands of an attention.
  ///
  /// - Parameter isRounded: whether products may round their operands to bf16.
  package init(query: Tensor, key: Tensor, value: Tensor, heads: Int, isRounded: Bool = false) {
    precondition(query.shape[1] == key.shape[1] && key.shape == value.shape && query.shape[1] % heads == 0)
    self.query = query
    self.key = key
    self.value = value
    self.heads = heads
    self.isRounded = isRounded
  }
}
