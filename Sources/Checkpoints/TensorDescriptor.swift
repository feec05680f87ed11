import JSON
import Tensors

/// A tensor in a weights file of any format: what it is and where its bytes lie.
///
/// Readers hand these out only after the whole file was validated: the range lies in the file, has exactly the
/// length that shape and type demand, and overlaps no other.
public struct TensorDescriptor {
  /// The name as it stands in the file.
  public let name: String
  /// The stored type.
  public let type: ElementType
  /// The shape, outermost dimension first.
  public let shape: Shape
  /// The file that holds the bytes.
  public let file: SourceFile
  /// Where they start in the file.
  public let offset: Int
  /// How many there are, in row-major order; more or fewer may be stored when there are strides.
  public let byteCount: Int
  /// The distance between neighbours along each dimension, in elements, or nil for a row-major tensor without gaps.
  public let strides: [Int]?

  init(
    name: String, type: ElementType, shape: Shape, file: SourceFile, offset: Int, byteCount: Int,
    strides: [Int]? = nil
  ) {
    self.name = name
    self.type = type
    self.shape = shape
    self.file = file
    self.offset = offset
    self.byteCount = byteCount
    self.strides = strides
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
