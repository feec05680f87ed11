import CKernelLoops
import Tensors

/// What becomes of queries and keys before attention: RMS norm of every head, then rotary position embedding over adjacent
/// pairs.
package struct HeadNormalization {
  private let weight: Tensor
  private let epsilon: Float
  private let cosines: Tensor, sines: Tensor

  /// Creates the operation for some rows.
  ///
  /// - Parameters:
  ///   - weight: the norm's weight, [headDim].
  ///   - cosines: those of the rows' angles, [rows, headDim/2], like `sines`.
  package init(weight: Tensor, epsilon: Float, cosines: Tensor, sines: Tensor) {
    precondition(2 * cosines.shape[1] == weight.count && sines.shape == cosines.shape)
    self.weight = weight
    self.epsilon = epsilon
    self.cosines = cosines
    self.sines = sines
  }

  /// Whether it is that of so many rows, whose columns are heads of its size.
  func fits(rows: Int, columns: Int) -> Bool {
    rows == cosines.shape[0] && columns.isMultiple(of: weight.count)
  }

  /// Applies it to one of the rows, in place.
  func callAsFunction(_ values: UnsafeMutablePointer<Float>?, row: Int, width: Int) {
    let heads = width / weight.count
    bb_rms_norm(values, weight.elements.baseAddress, values, heads, weight.count, epsilon)
    bb_rotate_pairs(values, cosines.pointer(row: row), sines.pointer(row: row), 1, heads, weight.count)
  }

  /// Applies it to all rows of x, [rows, heads·headDim], in place.
  package func callAsFunction(_ x: Tensor) {
    precondition(fits(rows: x.shape[0], columns: x.shape[1]))
    parallelRows(x.shape[0]) { rows in
      for row in rows { self(x.pointer(row: row), row: row, width: x.shape[1]) }
    }
  }
}
