import CKernelLoops
import Tensors

/// What a linear layer is given, [rows, features], with the roundings of it that products ask for: layers that share an
/// input share them.
public final class LinearInput {
  /// The values.
  public let values: Tensor
  private var bfloat16: FloatBuffer?
  private var quantized: (values: FloatBuffer, scales: FloatBuffer)?

  /// An input; its values must not change afterwards.
  public init(_ values: Tensor) {
    precondition(values.shape.count == 2)
    self.values = values
  }

  var rows: Int { values.shape[0] }
  var features: Int { values.shape[1] }

  /// The values in bf16, row by row; valid as long as the input is.
  func roundedToBFloat16() -> UnsafeRawPointer? {
    let buffer = bfloat16 ?? rounded()
    bfloat16 = buffer
    return buffer.with(count: (values.count + 1) / 2) { UnsafeRawPointer($0.baseAddress) }
  }

  private func rounded() -> FloatBuffer {
    let buffer = FloatBuffer(count: (values.count + 1) / 2)
    let output = buffer.with(count: (values.count + 1) / 2) {
      UnsafeMutableRawBufferPointer($0).bindMemory(to: UInt16.self).baseAddress
    }
    let (source, width) = (values.elements.baseAddress, features)
    parallelRows(rows) { rows in
      bb_round_bfloat16(
        source.map { $0 + rows.lowerBound * width }, output.map { $0 + rows.lowerBound * width },
        rows.count * width)
    }
    return buffer
  }

  /// The values in 8 bits, 128 standing for zero, and the scale of each row; valid as long as the input is.
  func quantizedRows() -> (values: UnsafePointer<UInt8>?, scales: UnsafePointer<Float>?) {
    let buffers = quantized ?? quantize()
    quantized = buffers
    let bytes = buffers.values.with(count: (values.count + 3) / 4) {
      UnsafeRawBufferPointer($0).bindMemory(to: UInt8.self).baseAddress
    }
    return (bytes, buffers.scales.with(count: rows) { UnsafePointer($0.baseAddress) })
  }

  private func quantize() -> (values: FloatBuffer, scales: FloatBuffer) {
    let buffers = (FloatBuffer(count: (values.count + 3) / 4), FloatBuffer(count: rows))
    let output = buffers.0.with(count: (values.count + 3) / 4) {
      UnsafeMutableRawBufferPointer($0).bindMemory(to: UInt8.self).baseAddress
    }
    let scales = buffers.1.with(count: rows) { $0.baseAddress }
    let (source, width) = (values.elements.baseAddress, features)
    parallelRows(rows) { rows in
      bb_quantize_rows(
        source.map { $0 + rows.lowerBound * width }, rows.count, width,
        output.map { $0 + rows.lowerBound * width }, scales.map { $0 + rows.lowerBound })
    }
    return buffers
  }
}
