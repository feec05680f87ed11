import CDNNL
import CKernelLoops
import Tensors

extension InputPrecision {
  /// Whether oneDNN computes products with inputs in this precision, and no other, on this processor.
  package var isComputable: Bool {
    switch self {
    case .float32: true
    case .bf16: KernelContext.multipliesBFloat16
    case .int8, .int16: KernelContext.multipliesBytesExactly
    }
  }
}
