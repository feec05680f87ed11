import Files
import JSON
import Tensors

/// The opened weights of one component, whatever files they are spread over.
package struct WeightFiles {
  /// The opened files: a single one, or the shards in the order of their names.
  package let files: [InputFile]
  /// All tensors, sorted by name.
  package let tensors: [TensorDescriptor]
  /// The common name of the files' format.
  package let format: String
  /// The metadata of a single safetensors file, by key.
  package let metadata: [String: String]
  /// The entries that are no tensors to convert, each with the reason: joined to others, or standing beside them.
  let absorbed: [(name: String, rule: String)]
  /// Whether the tensors are a moving average of weights that was chosen.
  package var isAverage = false

  /// Creates weights of tensors in any order.
  init(
    files: [InputFile], tensors: [TensorDescriptor], format: String, metadata: [String: String] = [:],
    absorbed: [(name: String, rule: String)] = []
  ) {
    self.files = files
    self.tensors = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    self.format = format
    self.metadata = metadata
    self.absorbed = absorbed
  }

  /// Returns weights in which each tensor is replaced by its translations, under other names or cut into parts.
  package func translated(_ translate: (TensorDescriptor) -> [TensorDescriptor]) -> WeightFiles {
    WeightFiles(
      files: files, tensors: tensors.flatMap(translate), format: format, metadata: metadata,
      absorbed: absorbed)
  }

  /// Returns whether the first nine bytes of a file are those of a weights file.
  static func looksLikeWeights(_ head: [UInt8]) -> Bool {
    Safetensors.looksLikeOne(head) || PyTorchArchive.isArchive(head) || GGUF.looksLikeOne(head)
  }

  /// How files of weights are called.
  private static let suffixes = [".safetensors", ".gguf", ".bin", ".pt", ".pth", ".ckpt"]

  /// Returns whether a file is called as weights are, whatever it holds.
  package static func isNamedLikeOne(_ path: String) -> Bool {
    suffixes.contains(where: path.lowercased().hasSuffix)
  }

  /// Opens a weights file, the index of sharded weights, or a folder that holds either.
  package static func openAny(_ path: String) throws -> WeightFiles {
    try HubCache.requireDownloaded(path)
    if FileSystem.isFolder(path) {
      let components = FileSystem.folders(in: path).filter { FileSystem.exists("\(path)/\($0)/config.json") }
      guard components.isEmpty || FileSystem.files(in: path).contains(where: isNamedLikeOne) else {
        throw malformed(
          "a folder of several components", path, "it holds \(components.joined(separator: ", "))",
          "Name one of them.")
      }
      let parts = path.split(separator: "/").map(String.init)
      let parent = (path.hasPrefix("/") ? "/" : "./") + parts.dropLast().joined(separator: "/")
      return try CheckpointFolder(path: parent).weights(of: parts.last ?? ".")
    }
    let file = try InputFile(path: path)
    guard path.lowercased().hasSuffix(".json") else { return try open(file) }
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    return try ShardedIndex.open(file, in: CheckpointFolder(path: parent))
  }

  /// Opens a weights file, identified by its content as a safetensors file, a PyTorch archive or a GGUF file.
  ///
  /// - Throws: ``BenbenError`` that names the file's actual format, where that can be recognised.
  package static func open(_ file: InputFile) throws -> WeightFiles {
    try openShard(file).joiningScales()
  }

  /// Opens a weights file whose tensors may belong to those of other files.
  static func openShard(_ file: InputFile) throws -> WeightFiles {
    let head = try file.bytes(at: 0, count: min(file.size, 9))
    if head.isEmpty {
      throw malformed("not a file of weights", file.path, "it is empty", "Download it again.")
    }
    if Safetensors.looksLikeOne(head) { return try Safetensors.open(file) }
    if GGUF.looksLikeOne(head) { return try GGUF.open(file) }
    let isNamedForPyTorch = [".bin", ".pt", ".pth", ".ckpt"].contains { file.path.lowercased().hasSuffix($0) }
    return PyTorchArchive.isArchive(head) || isNamedForPyTorch
      ? try PyTorchArchive.open(file) : try Safetensors.open(file)
  }
}
