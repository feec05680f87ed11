import CDNNL
import CKernelLoops
import Tensors

/// The one funnel from oneDNN's status to an error.
func dnnl(_ status: dnnl_status_t, _ operation: String) throws {
  if status == dnnl_success { return }
  let why =
    switch status {
    case dnnl_out_of_memory: "out of memory"
    case dnnl_invalid_arguments: "invalid arguments"
    case dnnl_unimplemented: "not implemented for these shapes"
    default: "status \(status.rawValue)"
    }
  throw BenbenError(.internalDefect, "oneDNN failed", at: operation, because: why)
}

/// The types of numbers that oneDNN is given.
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

/// A tensor's layout as oneDNN sees it.
///
/// Equal layouts share primitives.
struct Layout: Hashable {
  let dimensions: [Int]
  let strides: [Int]
  let type: NumberType
  /// Whether it is that of a right factor in blocks of 64 columns, and the strides mean nothing.
  private(set) var isBlocked = false

  /// Dense row-major.
  init(_ dimensions: [Int], _ type: NumberType = .f32) {
    var strides = [Int](repeating: 1, count: dimensions.count)
    for axis in dimensions.indices.dropLast().reversed() {
      strides[axis] = strides[axis + 1] * dimensions[axis + 1]
    }
    self.init(dimensions, strides: strides, type)
  }

  init(_ dimensions: [Int], strides: [Int], _ type: NumberType = .f32) {
    self.dimensions = dimensions
    self.strides = strides
    self.type = type
  }

  /// Of the right factor of a product, [inner, outer], in blocks of 64 columns.
  ///
  /// Inside of them stand as many rows at a time as make four bytes; what is missing to whole blocks is padded with zeros. In
  /// 8 bits that is ``WeightLayout/blocked``.
  init(blocks dimensions: [Int], _ type: NumberType) {
    self.init(dimensions, type)
    isBlocked = true
  }

  func descriptor() throws -> dnnl_memory_desc_t {
    var result = dnnl_memory_desc_t()
    let dimensions = dimensions.map(Int64.init)
    if isBlocked {
      // Sixteen times those four bytes make a block for oneDNN.
      let tag = type == .bf16 ? dnnl_BA16a64b2a : dnnl_BA16a64b4a
      try dnnl(
        dnnl_memory_desc_init_by_tag(&result, Int32(dimensions.count), dimensions, type.dnnl, tag), "layout")
      return result
    }
    let strides = strides.map(Int64.init)
    try dnnl(
      dnnl_memory_desc_init_by_strides(&result, Int32(dimensions.count), dimensions, type.dnnl, strides),
      "layout")
    return result
  }
}

/// Owns a oneDNN primitive together with its descriptor.
final class Primitive {
  let handle: dnnl_primitive_t
  let descriptor: dnnl_primitive_desc_t

  /// Takes over the descriptor, also when creating the primitive fails.
  init(_ descriptor: dnnl_primitive_desc_t, _ operation: String) throws {
    var handle: dnnl_primitive_t?
    let status = dnnl_primitive_create(&handle, descriptor)
    guard status == dnnl_success, let handle else {
      dnnl_primitive_desc_destroy(descriptor)
      try dnnl(status, operation)
      throw BenbenError(.internalDefect, "oneDNN failed", at: operation, because: "no primitive")
    }
    self.handle = handle
    self.descriptor = descriptor
  }

  deinit {
    dnnl_primitive_destroy(handle)
    dnnl_primitive_desc_destroy(descriptor)
  }

  /// The layout that the primitive wants for an argument which it was free to choose.
  func wantedLayout(of query: dnnl_query_t) -> dnnl_memory_desc_t? {
    dnnl_primitive_desc_query_md(descriptor, query, 0)?.pointee
  }

  /// Whether oneDNN has nothing but its slow reference code for it.
  var isReference: Bool {
    var name: UnsafePointer<CChar>?
    guard dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name) == dnnl_success, let name
    else { return true }
    return String(cString: name).hasPrefix("ref")
  }

  /// The scratch memory that the primitive wants from its caller, in bytes.
  var scratchSize: Int {
    dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0).map {
      dnnl_memory_desc_get_size($0)
    } ?? 0
  }

  /// Tells an execution where the scratch memory is.
  func scratch(_ memory: UnsafeMutableRawPointer) throws -> KernelContext.Argument {
    .init(DNNL_ARG_SCRATCHPAD, try Layout([scratchSize], .u8).descriptor(), memory)
  }
}

/// An operation with its post-operations; equal keys share one primitive.
enum PrimitiveKey: Hashable {
  case product(left: Layout, right: Layout, output: Layout, hasBias: Bool, after: [PostOperation])
  case serialProduct(left: Layout, right: Layout, output: Layout, isPacked: Bool, adds: Bool)
  case unpacked(Layout)
  case packing(Layout)
  case convolution(ConvolutionGeometry)
  case softmax(Layout)
  case elementwise(Activation, count: Int)
  case reorder(ConvolutionGeometry)
  case transposition(from: Layout, to: Layout)
}

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

/// Elementwise functions, with their names in the field.
public enum Activation: Hashable, Sendable {
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
  /// Applies the function in place, one row by itself.
  func apply(to x: UnsafeMutableBufferPointer<Float>) {
    switch self {
    case .silu, .quickGELU: bb_swish(x.baseAddress, algorithm.alpha, x.count)
    case .gelu: bb_gelu(x.baseAddress, x.count)
    case .geluTanh: bb_gelu_tanh(x.baseAddress, x.count)
    }
  }
}
