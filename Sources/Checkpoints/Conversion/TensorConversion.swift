import Files
import Foundation
import Tensors

/// A conversion of a tensor to another type, one chunk at a time, that measures the error it causes.
///
/// Reading throws a ``BenbenError`` that names the tensor when it holds NaN or infinity.
struct TensorConversion: ~Copyable {
  private let source: TensorDescriptor
  private let type: WeightType
  private let layout: WeightLayout
  private var chunks: TensorChunks
  private let floats = ScratchBuffer<Float>(), restored = ScratchBuffer<Float>()
  /// The bytes of the new type, in row-major order and in the new layout.
  private let converted = ScratchBuffer<UInt8>(), blocked = ScratchBuffer<Int8>()
  private var rowsRead = 0
  /// The scales of a quantized source.
  private let sourceScales: [Float]
  /// The error of the values against the source, so far.
  private(set) var metrics = ErrorMetrics()
  /// The scales of the rows so far, for int8.
  private(set) var scales: [Float] = []
  /// The row with the lowest SQNR in int8 when its largest value is left out, and that SQNR in dB; nil for other types.
  private(set) var worstRow: (row: Int, decibels: Double)?

  /// Returns whether values may change: the type cannot hold every value of the stored one.
  static func isLossy(_ source: TensorDescriptor, to type: WeightType) -> Bool {
    // The values that 8-bit rows represent are exact in f32 only.
    source.weightType != type
      && (type == .int8
        || (source.weightType == .int8 ? type != .f32 : !source.type.widensExactly(to: type.elementType)))
  }

  init(_ source: TensorDescriptor, to type: WeightType, layout: WeightLayout = .rowMajor) throws {
    // Rows are quantized as a whole, and blocks of rows are packed as a whole.
    let rowSize = source.shape.dropFirst().reduce(1, *) * source.type.size
    let keepsRows = type == .int8 || source.weightType == .int8
    let rowsAtOnce = layout == .blocked ? WeightLayout.blockSize : 1
    let scales = try source.scales()
    let chunks = try TensorChunks(source, unit: keepsRows ? rowsAtOnce * rowSize : source.type.size)
    self.source = source
    self.type = type
    self.layout = layout
    sourceScales = scales
    self.chunks = chunks
  }

  /// Lends the next bytes of the new type and layout.
  ///
  /// - Returns: whether there were any bytes.
  mutating func next(_ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Bool {
    guard let bytes = try chunks.next() else { return false }
    let (layout, blocked, columns) = (layout, blocked, rowLength)
    try convert(bytes) { rows in
      guard layout == .blocked else { return try body(rows) }
      try blocked.with(count: rows.count) {
        layout.interleave(rows.bindMemory(to: Int8.self), columns: columns, into: $0)
        try body(UnsafeRawBufferPointer($0))
      }
    }
    return true
  }

  /// Lends stored bytes, converted to the new type, in row-major order.
  private mutating func convert(
    _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    let count = bytes.count / source.type.size
    let scalesOfRows = nextSourceScales(count: count)
    guard source.type == .i8 || FloatConversion.isFinite(bytes, source.type) else {
      throw malformed(
        "tensor \(quoted(source.name)) is damaged", source.file.path, "it holds NaN or infinity",
        "Download the file again; if it is so in the release, the weights are not usable.")
    }
    if type == source.weightType {
      scales += scalesOfRows
      return try body(bytes)
    }
    try floats.with(count: count) { floats in
      if source.type == .i8 {
        scalesOfRows.withUnsafeBufferPointer {
          RowQuantization.dequantize(
            bytes.bindMemory(to: Int8.self), scales: $0, columns: rowLength, into: floats)
        }
      } else {
        FloatConversion.convertToFloat(bytes, source.type, into: floats)
      }
      // Every type that is used in computation is exact in f32; every other change of type rounds.
      if type == .f32 { return try body(UnsafeRawBufferPointer(floats)) }
      try converted.with(count: count * type.elementType.size) { output in
        round(UnsafeBufferPointer(floats), into: UnsafeMutableRawBufferPointer(output))
        try body(UnsafeRawBufferPointer(output))
      }
    }
  }

  /// Rounds values to the new type and measures the error.
  private mutating func round(
    _ values: UnsafeBufferPointer<Float>, into output: UnsafeMutableRawBufferPointer
  ) {
    if type == .int8 { return quantize(values, into: output.bindMemory(to: Int8.self)) }
    FloatConversion.narrow(values, to: type.elementType, into: output)
    restored.with(count: values.count) { restored in
      FloatConversion.convertToFloat(UnsafeRawBufferPointer(output), type.elementType, into: restored)
      metrics.add(restored, reference: values)
    }
  }

  private var rowLength: Int { source.shape.dropFirst().reduce(1, *) }

  /// Returns the scales of the next rows of a quantized source.
  private mutating func nextSourceScales(count: Int) -> ArraySlice<Float> {
    guard source.weightType == .int8, rowLength > 0 else { return [] }
    defer { rowsRead += count / rowLength }
    return sourceScales[rowsRead..<rowsRead + count / rowLength]
  }

  private mutating func quantize(
    _ values: UnsafeBufferPointer<Float>, into output: UnsafeMutableBufferPointer<Int8>
  ) {
    let columns = rowLength
    var rowScales = [Float](repeating: 0, count: values.count / max(columns, 1))
    rowScales.withUnsafeMutableBufferPointer {
      RowQuantization.quantize(values, columns: columns, into: output, scales: $0)
    }
    for (row, scale) in rowScales.enumerated() {
      let range = row * columns..<(row + 1) * columns
      let left = metrics.add(
        quantizedRow: UnsafeBufferPointer(rebasing: output[range]), scale: scale,
        reference: UnsafeBufferPointer(rebasing: values[range]))
      if left < worstRow?.decibels ?? .infinity { worstRow = (scales.count + row, left) }
    }
    scales += rowScales
  }
}
