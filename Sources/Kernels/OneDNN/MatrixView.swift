import CDNNL
import Tensors

/// A matrix inside a tensor: its first element, and the strides of its rows and columns.
struct MatrixView {
  let pointer: UnsafeRawPointer?
  let layout: Layout

  init(
    _ pointer: UnsafeRawPointer?, _ type: NumberType = .f32, rows: Int, columns: Int, rowStride: Int,
    columnStride: Int = 1
  ) {
    self.pointer = pointer
    layout = Layout([rows, columns], strides: [rowStride, columnStride], type)
  }

  /// Creates a view of blocked 8-bit weights (``WeightLayout/blocked``) as the right factor of a product.
  init(blocks pointer: UnsafeRawPointer?, rows: Int, columns: Int) {
    self.pointer = pointer
    layout = Layout(blocks: [rows, columns], .s8)
  }

  /// Returns a view of row-major weights [columns, rows] as the right factor of a product.
  static func transposed(_ pointer: UnsafeRawPointer?, _ type: NumberType, rows: Int, columns: Int)
    -> MatrixView
  {
    MatrixView(pointer, type, rows: rows, columns: columns, rowStride: 1, columnStride: rows)
  }
}
