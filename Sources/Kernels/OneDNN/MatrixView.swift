import CDNNL
import Tensors

/// A matrix inside a tensor: its first element, and how far apart rows and columns are.
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

  /// Weights in 8 bits and in blocks (``WeightLayout/blocked``), seen as the right factor of a product.
  init(blocks pointer: UnsafeRawPointer?, rows: Int, columns: Int) {
    self.pointer = pointer
    layout = Layout(blocks: [rows, columns], .s8)
  }

  /// Weights [columns, rows] that stand row by row, seen as the right factor of a product.
  static func transposed(_ pointer: UnsafeRawPointer?, _ type: NumberType, rows: Int, columns: Int)
    -> MatrixView
  {
    MatrixView(pointer, type, rows: rows, columns: columns, rowStride: 1, columnStride: rows)
  }
}
