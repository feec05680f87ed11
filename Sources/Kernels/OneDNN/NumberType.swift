import CDNNL
import CKernelLoops
import Tensors

/// The element types of oneDNN's operands.
enum NumberType: Hashable {
  case f32, bf16, s32, u8, s8

  var dnnl: dnnl_data_type_t {
    switch self {
    case .f32: dnnl_f32
    case .bf16: dnnl_bf16
    case .s32: dnnl_s32
    case .u8: dnnl_u8
    case .s8: dnnl_s8
    }
  }
}
