import Files
import Foundation
import Tensors

/// A converter of parts of a tensor to another type, which measures the error it causes.
///
/// Parts are independent of one another. Not thread-safe: threads that convert parts of a tensor have a converter each.
final class ChunkConverter {
  private let source: TensorDescriptor
  private let type: WeightType
  private let layout: WeightLayout
  /// The scales of a quantized source.
  private let sourceScales: [Float]
  private let floats = ScratchBuffer<Float>(), restored = ScratchBuffer<Float>()
  /// The bytes of the new type, in row-major order and in the new layout.
  private let converted = ScratchBuffer<UInt8>(), blocked = ScratchBuffer<Int8>()
  private let rowLength: Int

  init(_ source: TensorDescriptor, to type: WeightType, layout: WeightLayout, sourceScales: [Float]) {
    self.source = source
    self.type = type
    self.layout = layout
    self.sourceScales = sourceScales
    rowLength = source.shape.dropFirst().reduce(1, *)
  }

  /// Returns the number of stored bytes that stay together: rows are quantized as a whole, and blocks of rows are
  /// packed as a whole.
  static func unit(_ source: TensorDescriptor, to type: WeightType, layout: WeightLayout) -> Int {
    guard type == .int8 || source.weightType == .int8 else {
      return source.blocks?.byteCount ?? source.type.size
    }
    let rowsAtOnce = layout == .blocked || source.layout == .blocked ? WeightLayout.blockSize : 1
    return rowsAtOnce * source.byteCount(ofValues: source.shape.dropFirst().reduce(1, *))
  }

  /// Lends stored bytes, which are in row-major order, in the new type and layout.
  ///
  /// - Parameter offset: the offset of the first byte in the tensor.
  /// - Returns: the loss, and the scales of the rows for int8.
  /// - Throws: ``BenbenError`` that names the tensor when it holds NaN or infinity.
  func convert(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> (loss: ConversionLoss, scales: [Float]) {
    var (loss, scales) = (ConversionLoss(), [Float]())
    let firstRow = rowLength > 0 ? source.valueCount(ofBytes: offset) / rowLength : 0
    try inRowMajorOrder(bytes, firstRow: firstRow, &loss, &scales) { rows in
      guard layout == .blocked else { return try body(rows) }
      try blocked.with(count: rows.count) {
        layout.interleave(rows.bindMemory(to: Int8.self), columns: rowLength, into: $0)
        try body(UnsafeRawBufferPointer($0))
      }
    }
    return (loss, scales)
  }

  private func inRowMajorOrder(
    _ bytes: UnsafeRawBufferPointer, firstRow: Int, _ loss: inout ConversionLoss, _ scales: inout [Float],
    _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let count = source.valueCount(ofBytes: bytes.count)
    let scalesOfRows: ArraySlice<Float> =
      source.weightType == .int8 && rowLength > 0
      ? sourceScales[firstRow..<firstRow + count / rowLength] : []
    guard source.type == .i8 || source.blocks != nil || FloatConversion.isFinite(bytes, source.type) else {
      throw notFinite()
    }
    if source.isStored(as: type) {
      scales = Array(scalesOfRows)
      return try body(bytes)
    }
    try floats.with(count: count) { floats in
      if source.weightType == .int8 {
        scalesOfRows.withUnsafeBufferPointer {
          RowQuantization.dequantize(
            bytes.bindMemory(to: Int8.self), scales: $0, columns: rowLength, into: floats)
        }
      } else if let blocks = source.blocks {
        blocks.convertToFloat(bytes, into: floats)
        guard FloatConversion.isFinite(UnsafeRawBufferPointer(floats), .f32) else { throw notFinite() }
      } else if source.type == .i8 {
        for index in floats.indices { floats[index] = Float(Int8(bitPattern: bytes[index])) }
      } else {
        FloatConversion.convertToFloat(bytes, source.type, into: floats)
      }
      if let scale = source.uniformScale, source.weightType != .int8 {
        for index in floats.indices { floats[index] *= scale }
      }
      // Every type that is used in computation is exact in f32; every other change of type rounds.
      if type == .f32 { return try body(UnsafeRawBufferPointer(floats)) }
      try converted.with(count: count * type.elementType.size) { output in
        let values = UnsafeBufferPointer(floats)
        if type == .int8 {
          scales = quantize(values, firstRow: firstRow, into: output.rebound(), &loss)
        } else {
          narrow(values, into: UnsafeMutableRawBufferPointer(output), &loss)
        }
        try body(UnsafeRawBufferPointer(output))
      }
    }
  }

  private func notFinite() -> BenbenError {
    malformed(
      "tensor \(quoted(source.name)) is damaged", source.file.path, "it holds NaN or infinity",
      "Download the file again; if it is so in the release, the weights are not usable.")
  }

  private func narrow(
    _ values: UnsafeBufferPointer<Float>, into output: UnsafeMutableRawBufferPointer,
    _ loss: inout ConversionLoss
  ) {
    FloatConversion.narrow(values, to: type.elementType, into: output)
    restored.with(count: values.count) { restored in
      FloatConversion.convertToFloat(UnsafeRawBufferPointer(output), type.elementType, into: restored)
      loss.metrics.add(restored, reference: values)
    }
  }

  /// Returns the scales.
  private func quantize(
    _ values: UnsafeBufferPointer<Float>, firstRow: Int, into output: UnsafeMutableBufferPointer<Int8>,
    _ loss: inout ConversionLoss
  ) -> [Float] {
    let columns = rowLength
    var scales = [Float](repeating: 0, count: values.count / max(columns, 1))
    scales.withUnsafeMutableBufferPointer {
      RowQuantization.quantize(values, columns: columns, into: output, scales: $0)
    }
    for (row, scale) in scales.enumerated() {
      let range = row * columns..<(row + 1) * columns
      let left = loss.metrics.add(
        quantizedRow: UnsafeBufferPointer(rebasing: output[range]), scale: scale,
        reference: UnsafeBufferPointer(rebasing: values[range]))
      loss.consider((firstRow + row, left))
    }
    return scales
  }
}

extension UnsafeMutableBufferPointer<UInt8> {
  /// The same bytes as signed integers.
  fileprivate func rebound() -> UnsafeMutableBufferPointer<Int8> {
    UnsafeMutableRawBufferPointer(self).bindMemory(to: Int8.self)
  }
}
