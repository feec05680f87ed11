import CKernelLoops
import Tensors

extension Tensor {
  /// Returns the address of the first element of a matrix row.
  func pointer(row: Int) -> UnsafeMutablePointer<Float>? {
    elements.baseAddress.map { $0 + row * shape[1] }
  }
}
