import CKernelLoops
import Tensors

extension Tensor {
  /// Where a row of a matrix starts.
  func pointer(row: Int) -> UnsafeMutablePointer<Float>? {
    elements.baseAddress.map { $0 + row * shape[1] }
  }
}
