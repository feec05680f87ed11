import Tensors

/// The input of linear layers, [rows, features], with cached roundings, which layers with the same input share.
package final class LinearInput {
  /// The tensors whose rows, side by side, make up the rows of the input; all but the last columns of an input that is set
  /// row by row and rounded at once.
  private let parts: [Tensor]
  package let rows: Int
  let features: Int
  private var joined: Tensor?
  private var rounded: [InputRounding: RoundedRows] = [:]
  /// The rounded rows of an input that is set row by row, which has no others.
  private let settable: RoundedRows?

  /// Creates an input; its values must not change afterwards.
  package convenience init(_ values: Tensor) { self.init(sideBySide: [values]) }

  /// Creates an input whose rows concatenate those of several tensors.
  package init(sideBySide parts: [Tensor]) {
    rows = parts.first?.shape[0] ?? 0
    precondition(parts.allSatisfy { [rows] in $0.shape.count == 2 && $0.shape[0] == rows })
    features = parts.reduce(0) { $0 + $1.shape[1] }
    self.parts = parts
    joined = parts.count == 1 ? parts[0] : nil
    settable = nil
  }

  /// Creates an input whose last columns are computed row by row: where all layers that read it round it in one way, it is
  /// stored only so.
  ///
  /// What integers are multiplied to is rounded while it is in the cache.
  ///
  /// - Parameters:
  ///   - columns: the number of columns that are computed.
  ///   - first: tensors that hold the columns before them.
  ///   - layers: all layers that will read the input.
  package init(
    rows: Int, computing columns: Int, after first: [Tensor] = [], for layers: [Linear],
    in context: KernelContext
  ) {
    precondition(first.allSatisfy { $0.shape.count == 2 && $0.shape[0] == rows })
    self.rows = rows
    features = first.reduce(columns) { $0 + $1.shape[1] }
    let roundings = Set(layers.map(\.rounding))
    if let rounding = roundings.first, roundings.count == 1, rounding != .wide, context.magnitudes == nil {
      let settable = RoundedRows(rounding, rows: rows, features: features)
      rounded = [rounding: settable]
      self.settable = settable
      parts = first
    } else {
      let computed = Tensor([rows, columns])
      parts = first + [computed]
      joined = first.isEmpty ? computed : nil
      settable = nil
    }
  }

  /// Where rows that are computed go: into a tensor, unless they are rounded at once.
  package enum Target {
    case tensor(Tensor)
    case rounded(LinearInput, firstRow: Int)
  }

  /// Returns where some of the rows that are computed go.
  package func target(_ rows: Range<Int>) -> Target {
    guard settable == nil, let computed = parts.last else { return .rounded(self, firstRow: rows.lowerBound) }
    return .tensor(computed.rows(rows))
  }

  /// Sets the computed columns of a row; called by several threads.
  func set(_ row: Int, to values: UnsafeBufferPointer<Float>) {
    settable?.set(row, to: pieces(of: row) + [values])
  }

  /// The values, row by row.
  var values: Tensor {
    if let joined { return joined }
    precondition(settable == nil, "rows that were rounded at once are read in f32")
    let result = Tensor([rows, features])
    parallelRows(rows) { rows in
      for row in rows {
        guard var target = result.pointer(row: row) else { return }
        for piece in pieces(of: row) {
          if let source = piece.baseAddress { target.update(from: source, count: piece.count) }
          target += piece.count
        }
      }
    }
    joined = result
    return result
  }

  /// Returns the rows as a product reads them; their pointers are valid as long as the input is.
  func rounded(_ rounding: InputRounding) -> RoundedRows {
    if let known = rounded[rounding] { return known }
    precondition(settable == nil, "rows that were rounded at once are read otherwise")
    let result = RoundedRows(rounding, rows: rows, features: features)
    parallelRows(rows) { rows in
      for row in rows { result.set(row, to: pieces(of: row)) }
    }
    rounded[rounding] = result
    return result
  }

  private func pieces(of row: Int) -> [UnsafeBufferPointer<Float>] {
    parts.map { UnsafeBufferPointer(start: $0.pointer(row: row), count: $0.shape[1]) }
  }
}
