import Files
import JSON
import Tensors

/// A safetensors file in which one run keeps f32 tensors for a later one, with a text that identifies the inputs from
/// which they were computed and the SHA-256 of their values.
package enum TensorArchive {
  private static let originKey = "origin", hashKey = "sha256"

  /// Writes the file, whole or not at all.
  package static func write(
    _ tensors: [(name: String, values: Tensor)], origin: String, to path: String, mayReplace: Bool = false
  ) throws {
    var hash = Digest()
    for (_, values) in tensors { try forEachPiece(of: values) { hash.update($0) } }
    let header = SafetensorsHeader(
      tensors.map { ($0.name, .f32, $0.values.shape) },
      metadata: [originKey: origin, hashKey: hash.finalize()])
    let staged = try StagedFile(
      destination: path, size: header.bytes.count + header.dataSize, mayReplace: mayReplace)
    try header.bytes.withUnsafeBytes { try staged.file.write($0, at: 0) }
    var position = header.bytes.count
    for (_, values) in tensors {
      try forEachPiece(of: values) {
        try staged.file.write($0, at: position)
        position += $0.count
      }
    }
    try withExtendedLifetime(tensors) { try staged.commit() }
  }

  /// Calls a function with the bytes of a tensor, piece by piece, between which it is looked whether the task is cancelled.
  private static func forEachPiece(of values: Tensor, _ body: (UnsafeRawBufferPointer) throws -> Void) throws
  {
    let bytes = UnsafeRawBufferPointer(values.elements)
    for start in stride(from: 0, to: bytes.count, by: pieceLength) {
      try Task.checkCancellation()
      try body(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + pieceLength, bytes.count)]))
    }
  }

  private static let pieceLength = 1 << 24

  /// Reads the tensors of a file, by name; returns nil when the file does not exist.
  ///
  /// - Throws: ``BenbenError`` when the file is damaged, or its tensors were computed from something else.
  package static func read(_ path: String, origin: String) throws -> [String: Tensor]? {
    guard FileSystem.exists(path) else { return nil }
    let file = try InputFile(path: path)
    let files = try Safetensors.open(file)
    guard files.metadata[originKey] == origin else {
      throw BenbenError(
        .usage, "the file belongs to another run", at: path,
        because: "it was computed from another model, prompt or request",
        remedies: ["Name another file, or remove this one."])
    }
    let start = files.tensors.map(\.offset).min() ?? file.size
    guard try files.metadata[hashKey] == file.sha256(of: start..<file.size) else {
      throw malformed(
        "the file is damaged", path, "its values are not those that were kept",
        "Remove it: what it held is computed again.")
    }
    return try Dictionary(
      uniqueKeysWithValues: files.tensors.map { tensor in
        guard tensor.type == .f32 else {
          throw malformed(
            "tensor \(quoted(tensor.name)) is damaged", path, "its type is \(tensor.type.rawValue)")
        }
        let values = Tensor(tensor.shape)
        var conversion = try TensorConversion(tensor, to: .f32)
        var start = 0
        while try conversion.next({ chunk in
          (values.address + start).copyMemory(
            from: chunk.baseAddress ?? UnsafeRawPointer(values.address), byteCount: chunk.count)
          start += chunk.count
        }) {}
        return (tensor.name, values)
      })
  }
}
