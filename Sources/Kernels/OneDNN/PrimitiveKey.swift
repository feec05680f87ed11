import CDNNL
import CKernelLoops
import Tensors

/// An operation with its post-operations; equal keys share one primitive.
enum PrimitiveKey: Hashable {
  case product(left: Layout, right: Layout, output: Layout, hasBias: Bool, after: [PostOperation])
  case serialProduct(left: Layout, right: Layout, output: Layout)
  case convolution(ConvolutionGeometry)
  case softmax(Layout)
  case elementwise(Activation, count: Int)
  case reorder(ConvolutionGeometry)
  case transposition(from: Layout, to: Layout)
}
