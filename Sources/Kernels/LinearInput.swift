import CKernelLoops
import Tensors

/// What a linear layer is given, [rows, features], with the roundings of it that products ask for: layers that share an
/// input share them.
public final class LinearInput {
  /// The values.
  public let values: Tensor
  private var bfloat16: FloatBuffer?
  private var quantized: [ActivationPrecision: (values: FloatBuffer, scales: FloatBuffer)] = [:]

  /// An input; its values must not change afterwards.
  public init(_ values: Tensor) {
    precondition(values.shape.count == 2)
    self.values = values
  }

  var rows: Int { values.shape[0] }
  var features: Int { values.shape[1] }

  /// The values in bf16, row by row; valid as long as the input is.
  func roundedToBFloat16() -> UnsafeRawPointer {
    let buffer = bfloat16 ?? rounded()
    bfloat16 = buffer
    return UnsafeRawPointer(buffer.address)
  }

  private func rounded() -> FloatBuffer {
    // Two numbers in bf16 take the place of one in f32.
    let buffer = FloatBuffer(count: (values.count + 1) / 2)
    let output = buffer.address.assumingMemoryBound(to: UInt16.self)
    let (source, width) = (values.elements.baseAddress, features)
    parallelRows(rows) { rows in
      bb_round_bfloat16(
        source.map { $0 + rows.lowerBound * width }, output + rows.lowerBound * width, rows.count * width)
    }
    return buffer
  }

  /// Rows of 8-bit numbers, 128 standing for zero.
  struct IntegerRows {
    /// [rows, parts, features].
    let values: UnsafePointer<UInt8>
    /// One scale for each of the input's rows.
    let scales: UnsafePointer<Float>
    /// How many of these rows stand for one of the input's: in 16 bits two, the high halves and the low ones.
    let parts: Int
  }

  /// The values in 8 or 16 bits; valid as long as the input is.
  func integers(_ precision: ActivationPrecision) -> IntegerRows {
    let parts = precision == .int16 ? 2 : 1
    let buffers = quantized[precision] ?? quantize(parts: parts)
    quantized[precision] = buffers
    return IntegerRows(
      values: UnsafePointer(buffers.values.address.assumingMemoryBound(to: UInt8.self)),
      scales: UnsafePointer(buffers.scales.address.assumingMemoryBound(to: Float.self)), parts: parts)
  }

  private func quantize(parts: Int) -> (values: FloatBuffer, scales: FloatBuffer) {
    let buffers = (
      values: FloatBuffer(count: (parts * values.count + 3) / 4), scales: FloatBuffer(count: rows)
    )
    let output = buffers.values.address.assumingMemoryBound(to: UInt8.self)
    let scales = buffers.scales.address.assumingMemoryBound(to: Float.self)
    let (source, width) = (values.elements.baseAddress, features)
    let quantize = parts == 2 ? bb_quantize_rows_halves : bb_quantize_rows
    parallelRows(rows) { rows in
      quantize(
        source.map { $0 + rows.lowerBound * width }, rows.count, width,
        output + parts * rows.lowerBound * width, scales + rows.lowerBound)
    }
    return buffers
  }
}
