import Files

/// A model's tensor as it is stored: a name, a shape, a type, and bytes inside a mapped file.
///
/// Nothing is copied; the mapping lives as long as any weight that refers to it.
package struct Weight {
  /// The official name inside its component.
  package let name: String
  /// The shape, outermost dimension first.
  package let shape: Shape
  /// The type of the stored numbers.
  package let type: ElementType
  /// The precision to which a product's inputs are rounded before multiplication.
  package private(set) var activations: InputPrecision
  /// The order of the stored numbers.
  package let layout: WeightLayout
  /// The mapped file; nil for a weight that is only declared.
  private let file: MappedFile?
  private let range: Range<Int>
  /// The byte range of the row scales, for 8-bit weights.
  private let scaleRange: Range<Int>

  /// Creates a weight with a name and a shape but no values, for a model that is built only to obtain its declarations.
  ///
  /// Reading its values is a programmer's error.
  package init(declared declaration: WeightDeclaration) {
    name = declaration.name
    shape = declaration.shape
    type = .f32
    activations = .float32
    layout = .rowMajor
    file = nil
    range = 0..<0
    scaleRange = 0..<0
  }

  /// Creates a weight whose bytes are a range of a mapped file.
  ///
  /// Returns nil if the range is not inside the file, or its length does not match the shape.
  package init?(
    name: String, shape: Shape, type: ElementType, file: MappedFile, range: Range<Int>,
    activations: InputPrecision = .float32
  ) {
    guard range.lowerBound >= 0, range.upperBound <= file.size, type.isComputable,
      shape.checkedByteCount(of: type) == range.count
    else { return nil }
    self.name = name
    self.shape = shape
    self.type = type
    self.activations = activations
    layout = .rowMajor
    self.file = file
    self.range = range
    scaleRange = 0..<0
  }

  /// Creates an 8-bit weight with one f32 scale for each of its outermost rows.
  ///
  /// Returns nil if a range is not inside the file or does not match the shape, the scales are not aligned, or the
  /// shape cannot have the layout.
  package init?(
    name: String, shape: Shape, layout: WeightLayout = .rowMajor, file: MappedFile, values: Range<Int>,
    scales: Range<Int>, activations: InputPrecision
  ) {
    guard let rows = shape.first, values.lowerBound >= 0, values.upperBound <= file.size,
      scales.lowerBound >= 0, scales.upperBound <= file.size, scales.lowerBound % 4 == 0,
      shape.checkedByteCount(of: .i8) == values.count, [rows].checkedByteCount(of: .f32) == scales.count,
      layout == .rowMajor || WeightLayout.canBlock(shape, .int8)
    else { return nil }
    self.name = name
    self.shape = shape
    type = .i8
    self.activations = activations
    self.layout = layout
    self.file = file
    range = values
    scaleRange = scales
  }

  /// Returns a copy whose products use another input precision.
  package func using(_ activations: InputPrecision) -> Weight {
    var result = self
    result.activations = activations
    return result
  }

  /// The number of elements; checked when the weight is created.
  package var elementCount: Int { range.count / type.size }

  /// The number of values in each of the outermost rows.
  package var rowLength: Int { shape.isEmpty || shape[0] == 0 ? elementCount : elementCount / shape[0] }

  /// Lends the stored bytes.
  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    guard let file else { preconditionFailure("\(name) was only declared and has no values") }
    return try withExtendedLifetime(file) { try body(UnsafeRawBufferPointer(rebasing: file.memory[range])) }
  }

  /// Lends all values of an 8-bit weight, in stored order, and its scales.
  package func withQuantized<Result>(
    _ body: (UnsafeBufferPointer<Int8>, _ scales: UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    guard let file, type == .i8 else { preconditionFailure("\(name) is not quantized") }
    return try withExtendedLifetime(file) {
      try body(
        UnsafeRawBufferPointer(rebasing: file.memory[range]).bindMemory(to: Int8.self),
        UnsafeRawBufferPointer(rebasing: file.memory[scaleRange]).bindMemory(to: Float.self))
    }
  }

  /// Lends some of the outermost rows of an 8-bit weight, in row-major order, and their scales.
  package func withQuantizedRows<Result>(
    _ rows: Range<Int>,
    _ body: (UnsafeBufferPointer<Int8>, _ scales: UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    try withQuantized { values, scales in
      let scales = UnsafeBufferPointer(rebasing: scales[rows])
      let elements = rows.lowerBound * rowLength..<rows.upperBound * rowLength
      guard layout == .blocked else {
        return try body(UnsafeBufferPointer(rebasing: values[elements]), scales)
      }
      return try withUnsafeTemporaryAllocation(of: Int8.self, capacity: elements.count) { unpacked in
        layout.deinterleave(values, rows: rows, columns: rowLength, into: unpacked)
        return try body(UnsafeBufferPointer(unpacked), scales)
      }
    }
  }

  /// Lends the values as f32: in place if they are stored as f32, otherwise converted into `scratch`.
  package func withFloats<Result>(
    scratch: ScratchBuffer<Float>, _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    try withBytes { bytes in
      // The writer aligns every tensor to 64 bytes, so the check only fails for files written by others.
      if type == .f32, let base = bytes.baseAddress, Int(bitPattern: base) % 4 == 0 {
        return try body(bytes.bindMemory(to: Float.self))
      }
      return try scratch.with(count: elementCount) { floats in
        convertToFloat(bytes, rows: 0..<(shape.first ?? 1), columns: rowLength, into: floats)
        return try body(UnsafeBufferPointer(floats))
      }
    }
  }

  /// Converts a range of the outermost rows to f32; `output` holds exactly their values.
  package func convertToFloat(rows: Range<Int>, into output: UnsafeMutableBufferPointer<Float>) {
    let start = rows.lowerBound * rowLength * type.size
    withBytes {
      convertToFloat(
        UnsafeRawBufferPointer(rebasing: $0[start..<start + output.count * type.size]), rows: rows,
        columns: rowLength, into: output)
    }
  }

  /// Converts stored bytes, which start at the first of the given outermost rows, to f32.
  private func convertToFloat(
    _ bytes: UnsafeRawBufferPointer, rows: Range<Int>, columns: Int,
    into output: UnsafeMutableBufferPointer<Float>
  ) {
    guard type == .i8 else { return FloatConversion.convertToFloat(bytes, type, into: output) }
    withQuantizedRows(rows) { values, scales in
      RowQuantization.dequantize(values, scales: scales, columns: columns, into: output)
    }
  }

  /// Returns the values as a new tensor of f32.
  package func tensor() -> Tensor {
    let result = Tensor(shape)
    withBytes { convertToFloat($0, rows: 0..<(shape.first ?? 1), columns: rowLength, into: result.elements) }
    return result
  }

  /// Returns the given rows as f32, in that order, [rows, width]; every row must exist.
  ///
  /// All dimensions but the last count as rows; an 8-bit weight must be a matrix.
  package func rows(_ rows: [Int]) -> Tensor {
    let width = shape[shape.count - 1]
    precondition(rows.allSatisfy { $0 >= 0 && ($0 + 1) * width <= elementCount })
    precondition(type != .i8 || shape.count == 2)
    let result = Tensor([rows.count, width])
    let rowBytes = width * type.size
    withBytes { bytes in
      for (index, row) in rows.enumerated() {
        convertToFloat(
          UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]), rows: row..<row + 1,
          columns: width, into: result.rows(index..<index + 1).elements)
      }
    }
    return result
  }
}
