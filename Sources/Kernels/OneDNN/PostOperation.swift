import CDNNL
import CKernelLoops
import Tensors

/// An operation fused behind a product.
enum PostOperation: Hashable {
  /// Applies an activation function.
  case activation(Activation)
  /// Multiplies by a tensor that broadcasts against the output.
  case multiply(Layout)
  /// Adds a tensor that broadcasts against the output.
  case add(Layout)
  /// Multiplies by a constant.
  case scale(Float)
  /// Adds the previous values of the output.
  case accumulate
}
