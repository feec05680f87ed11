import Files
import JSON
import Tensors

/// The opened weights of one component, whatever files they were spread over.
public struct WeightFiles {
  /// The files in the order they were named.
  public let files: [InputFile]
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
    if FileSystem.isFolder(path) {
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
    let file = try InputFile(path: path)
    let head = try file.bytes(at: 0, count: min(file.size, 9))
    if Safetensors.looksLikeOne(head) { return try Safetensors.open(path) }
    let isNamedForPyTorch = [".bin", ".pt", ".pth", ".ckpt"].contains { path.lowercased().hasSuffix($0) }
    return PyTorchArchive.isArchive(head) || isNamedForPyTorch
      ? try PyTorchArchive.open(path) : try Safetensors.open(path)
  }
}
