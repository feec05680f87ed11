/// A tensor of a model as it is stored: a name, a shape, a type and bytes inside a mapped file.
///
/// Nothing is copied; the mapping lives as long as any weight that looks into it.
public struct Weight {
  /// The official name inside its component.
  public let name: String
  /// The shape, outermost dimension first.
  public let shape: Shape
  /// The stored type.
  public let type: ElementType
  /// Nil for a weight that was only declared.
  private let file: MappedFile?
  private let range: Range<Int>

  /// A weight that has a name and a shape but no values: what a model is built from when only its declarations are
  /// wanted.
  ///
  /// Reading its values is a programmer's error.
  public init(declared declaration: WeightDeclaration) {
    name = declaration.name
    shape = declaration.shape
    type = .f32
    file = nil
    range = 0..<0
  }

  /// A weight whose bytes are a range of a mapped file.
  ///
  /// Returns nil when the range does not lie in the file, or its length is not the shape's.
  public init?(name: String, shape: Shape, type: ElementType, file: MappedFile, range: Range<Int>) {
    guard range.lowerBound >= 0, range.upperBound <= file.size,
      shape.checkedByteCount(of: type) == range.count
    else { return nil }
    self.name = name
    self.shape = shape
    self.type = type
    self.file = file
    self.range = range
  }

  /// The number of elements; it was checked when the weight was made.
  public var elementCount: Int { range.count / type.size }

  /// Lends the stored bytes.
  public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    guard let file else { preconditionFailure("\(name) was only declared and has no values") }
    return try withExtendedLifetime(file) { try body(UnsafeRawBufferPointer(rebasing: file.memory[range])) }
  }

  /// Lends the values as f32: in place when they are stored so, else widened into `scratch` first.
  public func withFloats<Result>(
    scratch: FloatBuffer, _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    try withBytes { bytes in
      // The writer aligns every tensor to 64 bytes, so the check only fails for files written by others.
      if type == .f32, let base = bytes.baseAddress, Int(bitPattern: base) % 4 == 0 {
        return try body(bytes.bindMemory(to: Float.self))
      }
      return try scratch.with(count: elementCount) { floats in
        FloatConversion.widen(bytes, type, into: floats)
        return try body(UnsafeBufferPointer(floats))
      }
    }
  }

  /// The values as a new tensor of f32.
  public func tensor() -> Tensor {
    let result = Tensor(shape)
    withBytes { FloatConversion.widen($0, type, into: result.elements) }
    return result
  }

  /// The given rows as f32, in that order, [rows, width]; every row must exist.
  ///
  /// All dimensions but the last count as rows.
  public func rows(_ rows: [Int]) -> Tensor {
    let width = shape[shape.count - 1]
    precondition(rows.allSatisfy { $0 >= 0 && ($0 + 1) * width <= elementCount })
    let result = Tensor([rows.count, width])
    let rowBytes = width * type.size
    withBytes { bytes in
      for (index, row) in rows.enumerated() {
        FloatConversion.widen(
          UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]), type,
          into: result.rows(index..<index + 1).elements)
      }
    }
    return result
  }
}

/// The name and shape of a tensor that a model asks for, with the other names under which files carry the same one.
public struct WeightDeclaration: Equatable, Sendable {
  /// The official name inside its component.
  public let name: String
  /// The shape that the model's config demands.
  public let shape: Shape
  /// Names that stand for the same tensor in some files (tied weights).
  public let aliases: [String]

  /// Declares a weight.
  public init(name: String, shape: Shape, aliases: [String] = []) {
    self.name = name
    self.shape = shape
    self.aliases = aliases
  }
}

/// Where a model takes its weights from, by official name.
public protocol WeightSource {
  /// The weight declared so.
  ///
  /// - Throws: ``BenbenError`` when there is none, or its shape is another one.
  func weight(_ declaration: WeightDeclaration) throws -> Weight
}
