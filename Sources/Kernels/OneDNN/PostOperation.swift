import CDNNL
import CKernelLoops
import Tensors

/// What is fused behind a product, in order.
enum PostOperation: Hashable {
  /// An activation function.
  case activation(Activation)
  /// Times a tensor that broadcasts against the output.
  case multiply(Layout)
  /// Plus a tensor that broadcasts against the output.
  case add(Layout)
  /// Times a constant.
  case scale(Float)
  /// Plus what the output held before.
  case accumulate
}
