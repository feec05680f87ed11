import Kernels
import Tensors

/// What the attention of a transformer depends on.
struct AttentionSettings: Equatable, Sendable {
  let heads: Int, headDim: Int
  /// Of the RMS norm of queries and keys.
  let normEpsilon: Float
  /// What the names of the text stream's two norms start with.
  let textNormPrefix: String

  /// The width of the residual stream.
  var width: Int { heads * headDim }
}
