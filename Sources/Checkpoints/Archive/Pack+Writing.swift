import Files
import JSON
import Tensors

extension Pack {
  /// Packs a model into one file, whole or not at all.
  ///
  /// Only files that lie in the model itself are packed, and each is checked against the hash that the model lists.
  ///
  /// - Parameters:
  ///   - evidence: files on what the model is worth, such as reports and a card, which are packed beside it.
  ///   - keyPath: the PEM file of the ed25519 private key to sign with; nil for a pack without a signature.
  ///   - progress: called with the number of the model's bytes that were just packed.
  /// - Returns: the sizes of the model and of the pack, in bytes.
  package static func pack(
    _ model: NativeModel, evidence: [String] = [], to output: String, mayReplace: Bool,
    signingWith keyPath: String? = nil,
    progress: (Int) throws -> Void
  ) throws -> (bytes: Int, packedBytes: Int) {
    try model.requireSoundManifest()
    // Looked at before the work.
    if let keyPath { _ = try SignatureKey(.signing, path: keyPath) }
    let staged = try StagedFile(destination: output, mayReplace: mayReplace)
    var files: [File] = []
    var position = 0
    func emit(_ bytes: [UInt8]) throws {
      try bytes.withUnsafeBytes { try staged.file.write($0, at: position) }
      position += bytes.count
    }
    let batch = 2 * Concurrency.cores
    let sources =
      try model.filePaths.map { ($0, try model.open($0)) } + (try evidenceFiles(evidence, beside: model))
    for (path, source) in sources {
      let component = path.hasSuffix(".benben") ? try NativeComponent(source) : nil
      try component?.requirePadding()
      let parts = component?.parts ?? []
      var blocks = self.blocks(parts, size: source.size)
      var checks = PartHashes(parts, path: source.path)
      var hash = Digest()
      var offset = 0
      for start in stride(from: 0, to: blocks.count, by: batch) {
        let range = start..<min(start + batch, blocks.count)
        var places: [(block: Block, offset: Int)] = []
        for block in blocks[range] {
          places.append((block, offset))
          offset += block.count
        }
        let packed = try concurrentMap(places) { place -> (bytes: [UInt8], frame: [UInt8]) in
          let bytes = try source.bytes(at: place.offset, count: place.block.count)
          return (bytes, try Zstd.compress(BytePlanes.split(bytes, width: place.block.width), output))
        }
        for (index, item) in zip(range, packed) {
          try item.bytes.withUnsafeBytes {
            hash.update($0)
            try checks.update($0)
          }
          blocks[index].packedCount = item.frame.count
          try emit(item.frame)
          if !NativeModel.isEvidence(path) { try progress(item.bytes.count) }
        }
      }
      try source.checkUnchanged()
      let sha256 = hash.finalize()
      try model.requireHash(sha256, of: path)
      files.append(File(path: path, sha256: sha256, blocks: blocks))
    }
    let indexStart = position
    let index = Array(Self.index(files).canonicalText.utf8)
    try emit(skippable(index))
    let trailer =
      little(UInt64(indexStart)) + little(UInt64(index.count)) + Digest.sha256Bytes(index) + magic
    try emit(skippable(trailer))
    if let keyPath {
      try emit(signatureFrame(trailer, SignatureKey(.signing, path: keyPath)))
    }
    try staged.commit()
    return (files.reduce(0) { $0 + $1.count }, position)
  }

  /// Returns the files of evidence, with their paths in the pack, by which they are sorted.
  private static func evidenceFiles(
    _ paths: [String], beside model: NativeModel
  ) throws -> [(path: String, source: InputFile)] {
    var names: Set<String> = []
    return try paths.map { path in
      let name = NativeModel.evidencePrefix + FileSystem.lastComponent(path)
      let source = try InputFile(path: path)
      guard RelativePath.isPlain(name), NativeModel.isEvidence(name), names.insert(name).inserted,
        !model.filePaths.contains(name)
      else {
        throw BenbenError(
          .usage, "this file cannot be packed as evidence", at: path,
          because: "its name is taken, has unusual characters, or does not end in .json, .html or .md")
      }
      guard source.size <= maximumEvidence else {
        throw BenbenError(
          .usage, "this file cannot be packed", at: path,
          because:
            "\(ByteSize.text(source.size)) are more than the \(ByteSize.text(maximumEvidence)) of evidence")
      }
      return (name, source)
    }.sorted { $0.path < $1.path }
  }

  /// Returns the blocks of a file: those of its tensors, and those of the bytes between them.
  private static func blocks(_ parts: [NativeComponent.Part], size: Int) -> [Block] {
    var blocks: [Block] = []
    func cut(_ count: Int, width: Int) {
      for start in stride(from: 0, to: count, by: blockSize) {
        blocks.append(Block(count: min(blockSize, count - start), width: width))
      }
    }
    var end = 0
    for part in parts {
      cut(part.range.lowerBound - end, width: 1)
      cut(part.range.count, width: part.width)
      end = part.range.upperBound
    }
    cut(size - end, width: 1)
    return blocks
  }

  /// The hashes of a component's tensors, compared while the file's bytes pass by in order, in pieces of which none
  /// belongs to two tensors.
  private struct PartHashes: ~Copyable {
    private let parts: [NativeComponent.Part]
    private let path: String
    private var index = 0
    private var position = 0
    private var digest = Digest()

    init(_ parts: [NativeComponent.Part], path: String) {
      // A part without bytes ends before it begins; its hash is that of nothing.
      self.parts = parts.filter { !$0.range.isEmpty }
      self.path = path
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) throws {
      defer { position += bytes.count }
      guard index < parts.count, position >= parts[index].range.lowerBound else { return }
      digest.update(bytes)
      guard position + bytes.count == parts[index].range.upperBound else { return }
      var whole = Digest()
      swap(&whole, &digest)
      guard whole.finalize() == parts[index].sha256 else {
        throw malformed(
          "tensor \(quoted(parts[index].tensor)) is damaged", path, "its SHA-256 is not the listed one",
          "Copy or convert the model again.")
      }
      index += 1
    }
  }

  /// Returns a skippable frame, which zstd readers pass over.
  static func skippable(_ payload: [UInt8]) -> [UInt8] {
    little(skippableMagic) + little(UInt32(payload.count)) + payload
  }

  private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}
