import CDNNL
import CKernelLoops
import Tensors

/// A tensor's layout as oneDNN sees it.
///
/// Equal layouts share primitives.
struct Layout: Hashable {
  let dimensions: [Int]
  let strides: [Int]
  let type: NumberType
  /// Whether this is the layout of a right factor in blocks of 64 columns; if so, the strides are meaningless.
  private(set) var isBlocked = false

  /// Creates a dense row-major layout.
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

  /// Creates the layout of a product's right factor, [inner, outer], in blocks of 64 columns.
  ///
  /// Inside a block, rows are interleaved in groups that fill four bytes per column; incomplete blocks are padded with
  /// zeros. In 8 bits that is ``WeightLayout/blocked``.
  init(blocks dimensions: [Int], _ type: NumberType) {
    self.init(dimensions, type)
    isBlocked = true
  }

  /// Returns the layout as oneDNN holds it.
  func descriptor() throws -> LayoutDescriptor {
    let rank = Int32(dimensions.count)
    let dimensions = dimensions.map(Int64.init)
    if isBlocked {
      // A oneDNN block has sixteen such groups of rows.
      let tag = type == .bf16 ? dnnl_BA16a64b2a : dnnl_BA16a64b4a
      return try LayoutDescriptor { bb_layout_create_tagged(&$0, rank, dimensions, type.dnnl, tag) }
    }
    let strides = strides.map(Int64.init)
    return try LayoutDescriptor { bb_layout_create(&$0, rank, dimensions, type.dnnl, strides) }
  }

  /// Returns a descriptor that leaves the order of the elements to the primitive.
  func openDescriptor() throws -> LayoutDescriptor {
    let rank = Int32(dimensions.count)
    let dimensions = dimensions.map(Int64.init)
    return try LayoutDescriptor {
      bb_layout_create_tagged(&$0, rank, dimensions, type.dnnl, dnnl_format_tag_any)
    }
  }
}
