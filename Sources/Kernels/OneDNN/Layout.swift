import CDNNL
import CKernelLoops
import Tensors

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
