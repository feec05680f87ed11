import CDNNL
import CKernelLoops
import Tensors

extension InputPrecision {
  /// Whether products with inputs rounded so are computed so on this processor.
  public var isComputable: Bool {
    switch self {
    case .float32: true
    case .bf16: KernelContext.multipliesBFloat16
    case .int8, .int16: KernelContext.multipliesIntegersExactly
    }
  }
}
