import CKernelLoops

/// Symmetric 8-bit quantization with one scale per row: w ≈ q·s, s = max|w| / 127, q = w / s rounded to the nearest
/// integer, ties to even.
///
/// The largest value of a row is represented to within one unit in the last place, and zero stays zero. Values must be finite. Searching for the
/// scale with the smallest error does not pay off for normally distributed weights.
package enum RowQuantization {
  /// The largest magnitude of a quantized value; −128 is not used, so that the range is symmetric.
  package static let limit: Float = 127

  /// Quantizes one row; the reference implementation that ``quantize(_:columns:into:scales:)`` matches bit for bit.
  ///
  /// - Returns: the row's scale; zero for a row of zeros.
  static func quantizeRow(_ row: UnsafeBufferPointer<Float>, into output: UnsafeMutableBufferPointer<Int8>)
    -> Float
  {
    let largest = row.reduce(0) { max($0, $1.magnitude) }
    // Near the smallest f32 numbers the inverse of a scale would overflow.
    let boost: Float = largest < 0x1p-64 ? 0x1p64 : 1
    let inverse = largest == 0 ? 0 : limit / (largest * boost)
    for index in row.indices {
      output[index] = Int8((row[index] * boost * inverse).rounded(.toNearestOrEven))
    }
    return largest / limit
  }

  /// Quantizes rows of `columns` values: `output` holds one byte per value, `scales` one number per row.
  package static func quantize(
    _ values: UnsafeBufferPointer<Float>, columns: Int, into output: UnsafeMutableBufferPointer<Int8>,
    scales: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(output.count == values.count && scales.count * columns == values.count)
    for row in scales.indices {
      scales[row] = bb_quantize_weights(
        values.baseAddress.map { $0 + row * columns }, columns, output.baseAddress.map { $0 + row * columns })
    }
  }

  /// Dequantizes rows to f32.
  package static func dequantize(
    _ quantized: UnsafeBufferPointer<Int8>, scales: UnsafeBufferPointer<Float>, columns: Int,
    into output: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(output.count == quantized.count && scales.count * columns == quantized.count)
    for row in scales.indices {
      let scale = scales[row]
      for index in row * columns..<(row + 1) * columns { output[index] = Float(quantized[index]) * scale }
    }
  }
}
