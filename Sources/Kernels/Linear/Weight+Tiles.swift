import CKernelLoops
import Tensors

extension Weight {
  /// The most weights converted at a time.
  private static let tileSize = 1 << 22

  /// Lends the weights as f32 or bf16, one range of the outermost rows after the other: all at once and in place if
  /// they are stored in that type, otherwise converted in scratch memory.
  func forEachTile(
    as type: NumberType, in context: KernelContext,
    _ body: (_ rows: Range<Int>, UnsafeRawPointer?) throws -> Void
  ) throws {
    let count = shape.first ?? 1
    // The writer aligns every tensor to 64 bytes, so the check only fails for files written by others.
    let isAligned = withBytes { Int(bitPattern: $0.baseAddress) % 4 == 0 }
    if isAligned, self.type == (type == .bf16 ? .bf16 : .f32) {
      return try withBytes { try body(0..<count, $0.baseAddress) }
    }
    let rowsAtOnce = max(1, Self.tileSize / max(rowLength, 1))
    for start in stride(from: 0, to: count, by: rowsAtOnce) {
      let tile = start..<min(start + rowsAtOnce, count)
      if type == .bf16 {
        try convert(tile, in: context.bfloat16Weights, round) { try body(tile, $0) }
      } else {
        try convert(tile, in: context.floatWeights, convertToFloat) { try body(tile, $0) }
      }
    }
  }

  /// Lends a range of the outermost rows, converted into scratch memory on all threads.
  private func convert<Element>(
    _ tile: Range<Int>, in scratch: ScratchBuffer<Element>,
    _ convert: (_ rows: Range<Int>, _ output: UnsafeMutableBufferPointer<Element>) -> Void,
    _ body: (UnsafeRawPointer?) throws -> Void
  ) throws {
    try scratch.with(count: tile.count * rowLength) { scratch in
      parallelRows(tile.count) { part in
        let elements = part.lowerBound * rowLength..<part.upperBound * rowLength
        convert(
          tile.lowerBound + part.lowerBound..<tile.lowerBound + part.upperBound,
          UnsafeMutableBufferPointer(rebasing: scratch[elements]))
      }
      try body(UnsafeRawPointer(scratch.baseAddress))
    }
  }

  /// Writes a range of the outermost rows as bf16.
  private func round(rows: Range<Int>, into output: UnsafeMutableBufferPointer<UInt16>) {
    if type == .i8 {
      withQuantizedRows(rows) { values, scales in
        for row in scales.indices {
          bb_dequantize_bfloat16(
            values.baseAddress.map { $0 + row * rowLength }, scales[row],
            output.baseAddress.map { $0 + row * rowLength }, rowLength)
        }
      }
      return
    }
    ScratchBuffer<Float>().with(count: rowLength) { wide in
      for (index, row) in rows.enumerated() {
        convertToFloat(rows: row..<row + 1, into: wide)
        bb_round_bfloat16(wide.baseAddress, output.baseAddress.map { $0 + index * rowLength }, rowLength)
      }
    }
  }
}
