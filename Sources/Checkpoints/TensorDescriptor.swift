import JSON
import Tensors

/// A tensor in a weights file of any format: what it is and where its bytes lie.
///
/// Readers hand these out only after the whole file was validated: the range lies in the file, has exactly the
/// length that shape and type demand, and overlaps no other.
public struct TensorDescriptor: Sendable {
  /// The name, as it stands in the file unless it was translated.
  public let name: String
  /// The name as it stands in the file.
  public let storedName: String
  /// The stored type.
  public let type: ElementType
  /// The shape, outermost dimension first.
  public let shape: Shape
  /// The file that holds the bytes.
  public let file: SourceFile
  /// Where they start in the file.
  public let offset: Int
  /// How many there are; more or fewer may be stored when there are strides.
  public let byteCount: Int
  /// The distance between neighbours along each dimension, in elements, or nil for a row-major tensor without gaps.
  public let strides: [Int]?
  /// Where the f32 scales of its outermost rows start in the file, for 8-bit integers that stand for q·s.
  public let scaleOffset: Int?
  /// The order of the stored numbers.
  let layout: WeightLayout
  /// What products with it do with their input, where a native model says so.
  let activations: ActivationPrecision

  init(
    name: String, type: ElementType, shape: Shape, file: SourceFile, offset: Int, byteCount: Int,
    strides: [Int]? = nil, storedName: String? = nil, scaleOffset: Int? = nil,
    layout: WeightLayout = .rowMajor, activations: ActivationPrecision = .wide
  ) {
    self.name = name
    self.storedName = storedName ?? name
    self.type = type
    self.shape = shape
    self.file = file
    self.offset = offset
    self.byteCount = byteCount
    self.strides = strides
    self.scaleOffset = scaleOffset
    self.layout = layout
    self.activations = activations
  }

  /// How it is stored in the terms of a native model, or nil when its numbers cannot be computed with.
  var weightType: WeightType? {
    type == .i8 && scaleOffset != nil ? .int8 : WeightType(keeping: type)
  }

  /// The scales of the given outermost rows of quantized values.
  func scales(of rows: Range<Int>) throws -> [Float] {
    guard let scaleOffset else { return [] }
    var scales = [Float](repeating: 0, count: rows.count)
    try scales.withUnsafeMutableBytes {
      try file.read(at: scaleOffset + 4 * rows.lowerBound, into: $0)
    }
    return scales
  }
}

extension TensorDescriptor {
  /// The same tensor under another name.
  public func renamed(_ name: String) -> TensorDescriptor {
    TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: offset, byteCount: byteCount,
      strides: strides,
      storedName: storedName)
  }

  /// One of `count` equal parts along the outermost dimension, or nil when it cannot be cut so.
  public func part(_ index: Int, of count: Int, named name: String) -> TensorDescriptor? {
    guard let rows = shape.first, rows > 0, rows.isMultiple(of: count), strides == nil else { return nil }
    let length = byteCount / count
    return TensorDescriptor(
      name: name, type: type, shape: [rows / count] + shape.dropFirst(), file: file,
      offset: offset + index * length, byteCount: length, storedName: storedName)
  }

  /// A matrix with its two dimensions exchanged; nil for any other rank.
  public func transposed(named name: String) -> TensorDescriptor? {
    guard shape.count == 2, byteCount > 0 else { return nil }
    let turned = Array((strides ?? [shape[1], 1]).reversed())
    let shape = Array(shape.reversed())
    return TensorDescriptor(
      name: name, type: type, shape: shape, file: file, offset: offset, byteCount: byteCount,
      strides: shape.isContiguous(strides: turned) ? nil : turned, storedName: storedName)
  }
}

/// The opened weights of one component, whatever files they were spread over.
public struct WeightFiles {
  /// The files in the order they were named.
  public let files: [SourceFile]
  /// All tensors, sorted by name.
  public let tensors: [TensorDescriptor]
  /// What the files are called in the field.
  public let format: String
  /// What else a safetensors file says, by key.
  public var metadata: [String: String] = [:]

  /// The same files with other names or cuts of their tensors.
  public func translated(_ translate: (TensorDescriptor) -> [TensorDescriptor]) -> WeightFiles {
    WeightFiles(
      files: files,
      tensors: tensors.flatMap(translate).sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) },
      format: format)
  }

  /// Whether the first nine bytes of a file are those of a file of weights.
  static func looksLikeWeights(_ head: [UInt8]) -> Bool {
    Safetensors.looksLikeOne(head) || PyTorchArchive.isArchive(head)
  }

  /// Opens a file of weights, the index of a sharded one, or a folder that holds either.
  public static func openAny(_ path: String) throws -> WeightFiles {
    if CheckpointFolder.isFolder(path) {
      let parts = path.split(separator: "/").map(String.init)
      let parent = (path.hasPrefix("/") ? "/" : "./") + parts.dropLast().joined(separator: "/")
      return try CheckpointFolder(path: parent).weights(of: parts.last ?? ".")
    }
    guard path.lowercased().hasSuffix(".json") else { return try open(path) }
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    return try ShardedIndex.open(path, in: CheckpointFolder(path: parent))
  }

  /// Opens a file of weights, told by its content: a safetensors file or a PyTorch archive.
  ///
  /// - Throws: ``BenbenError`` that names what else the file is, where that can be told.
  public static func open(_ path: String) throws -> WeightFiles {
    let file = try SourceFile(path: path)
    let head = try file.bytes(at: 0, count: min(file.size, 9))
    if Safetensors.looksLikeOne(head) { return try Safetensors.open(path) }
    let isNamedForPyTorch = [".bin", ".pt", ".pth", ".ckpt"].contains { path.lowercased().hasSuffix($0) }
    return PyTorchArchive.isArchive(head) || isNamedForPyTorch
      ? try PyTorchArchive.open(path) : try Safetensors.open(path)
  }
}

/// Errors about weights files in the words of this library.
func malformed(_ what: String, _ subject: String, _ why: String, _ remedies: String...) -> BenbenError {
  BenbenError(.malformed, what, at: subject, because: why, remedies: remedies)
}
