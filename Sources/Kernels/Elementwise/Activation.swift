import CDNNL
import CKernelLoops
import Tensors

/// Elementwise activation functions, under their established names.
package enum Activation: Hashable, Sendable {
  /// x·σ(x).
  case silu
  /// x·σ(1.702·x), CLIP's approximation of GELU.
  case quickGELU
  /// GELU by the error function.
  case gelu
  /// GELU by the tanh approximation.
  case geluTanh

  var algorithm: (kind: dnnl_alg_kind_t, alpha: Float) {
    switch self {
    case .silu: (dnnl_eltwise_swish, 1)
    case .quickGELU: (dnnl_eltwise_swish, 1.702)
    case .gelu: (dnnl_eltwise_gelu_erf, 0)
    case .geluTanh: (dnnl_eltwise_gelu_tanh, 0)
    }
  }
}

extension Activation {
  /// Applies the function to one row, in place.
  func apply(to x: UnsafeMutableBufferPointer<Float>) {
    switch self {
    case .silu, .quickGELU: bb_swish(x.baseAddress, algorithm.alpha, x.count)
    case .gelu: bb_gelu(x.baseAddress, x.count)
    case .geluTanh: bb_gelu_tanh(x.baseAddress, x.count)
    }
  }
}
