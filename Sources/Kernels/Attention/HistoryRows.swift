import CKernelLoops
import Tensors

/// Rows of keys and values on their way to a file and back, in f32 or in the bf16 that attention rounds them to.
package enum HistoryRows {
  /// The rows that a thread converts at a time.
  private static let rowsAtOnce = 64

  /// Fills the first `count` rows of a tensor [rows, width].
  ///
  /// - Parameter read: fills a buffer with the bytes of consecutive rows, the first of which it is given; called by several
  ///   threads.
  package static func read(
    _ count: Int, of tensor: Tensor, isRounded: Bool,
    _ read: (_ firstRow: Int, UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    let width = tensor.shape[1]
    try parallelItems((count + rowsAtOnce - 1) / rowsAtOnce) { _, next in
      let rounded = ScratchBuffer<UInt16>(count: isRounded ? rowsAtOnce * width : 0)
      while let item = next() {
        let first = item * rowsAtOnce
        let values = min(rowsAtOnce, count - first) * width
        guard let target = tensor.pointer(row: first) else { return }
        if isRounded {
          try read(first, UnsafeMutableRawBufferPointer(start: rounded.base, count: 2 * values))
          bb_widen_bfloat16(rounded.base, target, values)
        } else {
          try read(first, UnsafeMutableRawBufferPointer(start: target, count: 4 * values))
        }
      }
    }
  }

  /// Fills the first `count` rows of a tensor [rows, width] with a weighted sum of rows in as many places as there are
  /// weights.
  ///
  /// - Parameter read: fills a buffer with the bytes of consecutive rows in one of the places, the first of which it is
  ///   given; called by several threads.
  package static func readSum(
    _ count: Int, of tensor: Tensor, weights: [Float], isRounded: Bool,
    _ read: (_ place: Int, _ firstRow: Int, UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    let width = tensor.shape[1]
    try parallelItems((count + rowsAtOnce - 1) / rowsAtOnce) { _, next in
      let rounded = ScratchBuffer<UInt16>(count: isRounded ? rowsAtOnce * width : 0)
      let wide = ScratchBuffer<Float>(count: isRounded ? 0 : rowsAtOnce * width)
      while let item = next() {
        let first = item * rowsAtOnce
        let values = min(rowsAtOnce, count - first) * width
        guard let target = tensor.pointer(row: first) else { return }
        target.update(repeating: 0, count: values)
        for (place, weight) in weights.enumerated() {
          if isRounded {
            try read(place, first, UnsafeMutableRawBufferPointer(start: rounded.base, count: 2 * values))
            bb_add_scaled_bfloat16(rounded.base, weight, target, values)
          } else {
            try read(place, first, UnsafeMutableRawBufferPointer(start: wide.base, count: 4 * values))
            bb_add_scaled(wide.base, weight, target, values)
          }
        }
      }
    }
  }

  /// Hands out all rows of a tensor [rows, width].
  ///
  /// - Parameter write: takes the bytes of consecutive rows, the first of which it is given; called by several threads.
  package static func write(
    _ tensor: Tensor, isRounded: Bool, _ write: (_ firstRow: Int, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let (count, width) = (tensor.shape[0], tensor.shape[1])
    try parallelItems((count + rowsAtOnce - 1) / rowsAtOnce) { _, next in
      let rounded = ScratchBuffer<UInt16>(count: isRounded ? rowsAtOnce * width : 0)
      while let item = next() {
        let first = item * rowsAtOnce
        let values = min(rowsAtOnce, count - first) * width
        guard let source = tensor.pointer(row: first) else { return }
        if isRounded {
          bb_round_bfloat16(source, rounded.base, values)
          try write(first, UnsafeRawBufferPointer(start: rounded.base, count: 2 * values))
        } else {
          try write(first, UnsafeRawBufferPointer(start: source, count: 4 * values))
        }
      }
    }
  }
}
