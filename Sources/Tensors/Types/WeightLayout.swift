import CKernelLoops

/// How the values of a weight stand in the file, its outermost dimension counting as rows, all others as columns.
public enum WeightLayout: String, CaseIterable, Sendable {
  /// Row by row.
  case rowMajor = "row-major"
  /// In blocks of 64 rows, inside of which four columns at a time: [rows / 64][columns / 4][64][4].
  ///
  /// Processors with 8-bit dot products of 512 bits (VNNI, AMX) read weights so; there, what is stored so is multiplied in
  /// place, without being brought into another order at every product.
  case blocked = "blocks-64x4"

  /// Rows and columns of a blocked matrix are multiples of this.
  public static let blockSize = 64

  /// The layout in which a new file holds a tensor; it depends on nothing but the plan, so that all machines write the same
  /// bytes.
  public init(of shape: Shape, type: WeightType, activations: InputPrecision) {
    self = activations.isInteger && Self.canBlock(shape, type) ? .blocked : .rowMajor
  }

  /// Whether a tensor can be blocked.
  public static func canBlock(_ shape: Shape, _ type: WeightType) -> Bool {
    guard type == .int8, shape.count >= 2, let rows = shape.first, rows > 0, shape.checkedElementCount != nil
    else { return false }
    let columns = shape.dropFirst().reduce(1, *)
    return columns > 0 && rows.isMultiple(of: blockSize) && columns.isMultiple(of: blockSize)
  }

  /// Brings whole blocks of rows into this layout, from row by row.
  public func pack(
    _ rows: UnsafeBufferPointer<Int8>, columns: Int, into output: UnsafeMutableBufferPointer<Int8>
  ) {
    precondition(
      self == .blocked && rows.count == output.count && rows.count.isMultiple(of: Self.blockSize * columns))
    bb_pack_rows(rows.baseAddress, columns, rows.count / columns, output.baseAddress)
  }

  /// The given rows of a matrix in this layout, row by row.
  public func unpack(
    _ matrix: UnsafeBufferPointer<Int8>, rows: Range<Int>, columns: Int,
    into output: UnsafeMutableBufferPointer<Int8>
  ) {
    precondition(
      self == .blocked && rows.upperBound * columns <= matrix.count && output.count == rows.count * columns)
    bb_unpack_rows(matrix.baseAddress, columns, rows.lowerBound, rows.count, output.baseAddress)
  }
}
