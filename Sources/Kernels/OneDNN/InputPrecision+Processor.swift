import CDNNL
import CKernelLoops
import Tensors

extension InputPrecision {
  /// Whether this processor computes products with inputs in this precision.
  package var isComputable: Bool {
    switch self {
    case .float32: true
    case .bf16: KernelContext.multipliesBFloat16
    case .int8, .int16: KernelContext.multipliesIntegersExactly
    }
  }
}
