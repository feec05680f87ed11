import CKernelLoops
import Tensors

/// The input of linear layers, [rows, features], with cached roundings, which layers with the same input share.
package final class LinearInput {
  /// The tensors whose rows, side by side, make up the rows of the input.
  private let parts: [Tensor]
  let rows: Int, features: Int
  private var joined: Tensor?
  private var bfloat16: ScratchBuffer<UInt16>?
  private var words: (values: ScratchBuffer<Int16>, scales: ScratchBuffer<Float>)?
  private var quantized: [InputPrecision: (values: ScratchBuffer<UInt8>, scales: ScratchBuffer<Float>)] = [:]

  /// Creates an input; its values must not change afterwards.
  package convenience init(_ values: Tensor) { self.init(sideBySide: [values]) }

  /// Creates an input whose rows concatenate those of several tensors.
  package init(sideBySide parts: [Tensor]) {
    rows = parts.first?.shape[0] ?? 0
    precondition(parts.allSatisfy { [rows] in $0.shape.count == 2 && $0.shape[0] == rows })
    features = parts.reduce(0) { $0 + $1.shape[1] }
    self.parts = parts
    joined = parts.count == 1 ? parts[0] : nil
  }

  /// The values, row by row.
  var values: Tensor {
    if let joined { return joined }
    let result = Tensor([rows, features])
    parallelRows(rows) { rows in
      forEachPart(of: rows) { row, column, part in
        guard let source = part.pointer(row: row), let target = result.pointer(row: row) else { return }
        (target + column).update(from: source, count: part.shape[1])
      }
    }
    joined = result
    return result
  }

  /// Calls `body` with each row's share of each part and the column where it starts.
  private func forEachPart(of rows: Range<Int>, _ body: (_ row: Int, _ column: Int, _ part: Tensor) -> Void) {
    for row in rows {
      var column = 0
      for part in parts {
        body(row, column, part)
        column += part.shape[1]
      }
    }
  }

  /// Returns the values in bf16, row by row; the pointer is valid as long as the input is.
  func roundedToBFloat16() -> UnsafeRawPointer {
    let buffer = bfloat16 ?? rounded()
    bfloat16 = buffer
    return UnsafeRawPointer(buffer.base)
  }

  private func rounded() -> ScratchBuffer<UInt16> {
    let buffer = ScratchBuffer<UInt16>(count: rows * features)
    let output = buffer.base
    parallelRows(rows) { rows in
      forEachPart(of: rows) { row, column, part in
        bb_round_bfloat16(part.pointer(row: row), output + row * features + column, part.shape[1])
      }
    }
    return buffer
  }

  /// Rows of 8-bit numbers with a zero point of 128.
  struct IntegerRows {
    /// The numbers, [rows, parts, features].
    let values: UnsafePointer<UInt8>
    /// One scale for each of the input's rows.
    let scales: UnsafePointer<Float>
    /// The number of these rows per input row: two in 16 bits, the high halves and the low halves.
    let parts: Int
  }

  /// Returns the values in 8 or 16 bits, the largest of each row being 127 or 127·256 + 127; the pointers are valid as
  /// long as the input is.
  ///
  /// The scale of a row that contains NaN or infinity is NaN.
  func integers(_ precision: InputPrecision) -> IntegerRows {
    let parts = precision == .int16 ? 2 : 1
    let buffers = quantized[precision] ?? quantize(parts: parts)
    quantized[precision] = buffers
    return IntegerRows(
      values: UnsafePointer(buffers.values.base),
      scales: UnsafePointer(buffers.scales.base), parts: parts)
  }

  private func quantize(
    parts count: Int
  ) -> (values: ScratchBuffer<UInt8>, scales: ScratchBuffer<Float>) {
    let buffers = (
      values: ScratchBuffer<UInt8>(count: count * rows * features), scales: ScratchBuffer<Float>(count: rows)
    )
    let (output, scales) = (buffers.values.base, buffers.scales.base)
    let limit: Float = count == 2 ? 127 * 256 + 127 : 127
    parallelRows(rows) { rows in
      for row in rows {
        let inverse = scale(row, limit: limit, into: scales)
        forEachPart(of: row..<row + 1) { row, column, part in
          let target = output + count * row * features + column
          let source = part.pointer(row: row)
          if count == 2 {
            bb_quantize_halves(source, inverse, target, target + features, part.shape[1])
          } else {
            bb_quantize(source, inverse, target, part.shape[1])
          }
        }
      }
    }
    return buffers
  }

  /// Stores the scale with which the largest value of a row becomes `limit`, and returns its inverse.
  ///
  /// The scale of a row that contains NaN or infinity is NaN.
  private func scale(_ row: Int, limit: Float, into scales: UnsafeMutablePointer<Float>) -> Float {
    let bits = parts.reduce(0) { max($0, bb_largest_magnitude($1.pointer(row: row), $1.shape[1])) }
    let largest = Float(bitPattern: bits)
    scales[row] = largest.isFinite ? largest / limit : .nan
    // For activations, rows near the smallest f32 numbers are as good as zero.
    return largest.isFinite && largest > 0x1p-110 ? limit / largest : 0
  }

  /// Rows of 16-bit numbers.
  struct WordRows {
    /// The numbers, [rows, stride]; zeros fill each row.
    let values: UnsafePointer<Int16>
    /// One scale for each of the input's rows.
    let scales: UnsafePointer<Float>
    /// The distance between two rows, in numbers.
    let stride: Int
  }

  /// Returns the values in 16 bits, the largest of each row being 32767; the pointers are valid as long as the input is.
  ///
  /// The scale of a row that contains NaN or infinity is NaN.
  func quantizedToWords() -> WordRows {
    let stride = (features + 3) / 4 * 4
    let buffers = words ?? quantizeToWords(stride: stride)
    words = buffers
    return WordRows(
      values: UnsafePointer(buffers.values.base), scales: UnsafePointer(buffers.scales.base), stride: stride)
  }

  private func quantizeToWords(
    stride: Int
  ) -> (values: ScratchBuffer<Int16>, scales: ScratchBuffer<Float>) {
    let buffers = (
      values: ScratchBuffer<Int16>(count: rows * stride), scales: ScratchBuffer<Float>(count: rows)
    )
    let (output, scales) = (buffers.values.base, buffers.scales.base)
    parallelRows(rows) { rows in
      for row in rows {
        let inverse = scale(row, limit: Float(Int16.max), into: scales)
        forEachPart(of: row..<row + 1) { row, column, part in
          bb_quantize_words(
            part.pointer(row: row), inverse, output + row * stride + column, part.shape[1])
        }
        (output + row * stride + features).update(repeating: 0, count: stride - features)
      }
    }
    return buffers
  }
}
