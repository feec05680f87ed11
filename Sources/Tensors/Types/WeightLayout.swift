import CKernelLoops

/// The order in which the values of a weight are stored; its outermost dimension counts as rows, all others as columns.
package enum WeightLayout: String, CaseIterable, Sendable {
  /// Row by row.
  case rowMajor = "row-major"
  /// In blocks of 64 rows that interleave groups of four columns: [rows / 64][columns / 4][64][4].
  ///
  /// Processors with dot products of 8-bit numbers (VNNI, AMX) read weights in this order; there, blocked weights are
  /// multiplied in place, without being reordered for every product.
  case blocked = "blocks-64x4"

  /// The block size; the rows and columns of a blocked matrix are multiples of it.
  package static let blockSize = 64

  /// Chooses the layout in which a new file stores a tensor; it depends only on the plan, so that all machines write
  /// the same bytes.
  package init(of shape: Shape, type: WeightType, activations: InputPrecision) {
    self = activations.isInteger && Self.canBlock(shape, type) ? .blocked : .rowMajor
  }

  /// Returns whether a tensor can be blocked.
  package static func canBlock(_ shape: Shape, _ type: WeightType) -> Bool {
    guard type == .int8, shape.count >= 2, let rows = shape.first, rows > 0, shape.checkedElementCount != nil
    else { return false }
    let columns = shape.dropFirst().reduce(1, *)
    return columns > 0 && rows.isMultiple(of: blockSize) && columns.isMultiple(of: blockSize)
  }

  /// Reorders whole blocks of rows from row-major into this layout.
  package func interleave(
    _ rows: UnsafeBufferPointer<Int8>, columns: Int, into output: UnsafeMutableBufferPointer<Int8>
  ) {
    precondition(
      self == .blocked && rows.count == output.count && rows.count.isMultiple(of: Self.blockSize * columns))
    bb_interleave_rows(rows.baseAddress, columns, rows.count / columns, output.baseAddress)
  }

  /// Reorders the given rows of a matrix from this layout to row-major.
  package func deinterleave(
    _ matrix: UnsafeBufferPointer<Int8>, rows: Range<Int>, columns: Int,
    into output: UnsafeMutableBufferPointer<Int8>
  ) {
    precondition(
      self == .blocked && rows.upperBound * columns <= matrix.count && output.count == rows.count * columns)
    bb_deinterleave_rows(matrix.baseAddress, columns, rows.lowerBound, rows.count, output.baseAddress)
  }
}
