import Kernels
import Tensors

/// The settings of a transformer's attention.
struct AttentionSettings: Equatable, Sendable {
  let heads: Int, headDim: Int
  /// The epsilon of the RMS norm of queries and keys.
  let normEpsilon: Float
  /// The prefix of the names of the text stream's two norms.
  let textNormPrefix: String

  /// The width of the residual stream.
  var width: Int { heads * headDim }
}
