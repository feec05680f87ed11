import Files
import JSON
import Tensors

extension Pack {
  /// Unpacks a model, whole or not at all, into exactly the files that were packed, each checked against its hash.
  ///
  /// - Parameters:
  ///   - keyPath: the PEM file of the ed25519 public key with which the pack must be signed; nil for any pack.
  ///   - progress: called with the number of packed bytes that were just read.
  /// - Returns: whether the pack is signed, by whomever.
  @discardableResult
  package static func unpack(
    _ path: String, to output: String, mayReplace: Bool, verifyingWith keyPath: String? = nil,
    progress: (Int) throws -> Void
  ) throws -> Bool {
    let source = try InputFile(path: path)
    let (files, trailer, signature) = try index(of: source)
    if let keyPath {
      let key = try SignatureKey(.verifying, path: keyPath)
      try requireSignature(signature, of: trailer, by: key, path: path)
    }
    let folder = try StagedFolder(
      destination: output, mayReplace: mayReplace, isReplaceable: NativeModel.isNothingElse)
    let batch = 2 * Concurrency.cores
    var position = 0
    for file in files {
      let target = try folder.create(file.path, size: file.count)
      var hash = Digest()
      var written = 0
      for start in stride(from: 0, to: file.blocks.count, by: batch) {
        var places: [(block: Block, offset: Int)] = []
        for block in file.blocks[start..<min(start + batch, file.blocks.count)] {
          places.append((block, position))
          position += block.packedCount
        }
        let unpacked = try concurrentMap(places) { place in
          let frame = try source.bytes(at: place.offset, count: place.block.packedCount)
          let planes = try Zstd.decompress(frame, count: place.block.count, path)
          return BytePlanes.join(planes, width: place.block.width)
        }
        for (place, bytes) in zip(places, unpacked) {
          bytes.withUnsafeBytes { hash.update($0) }
          try bytes.withUnsafeBytes { try target.write($0, at: written) }
          written += bytes.count
          try progress(place.block.packedCount)
        }
      }
      try target.finish()
      guard hash.finalize() == file.sha256 else {
        throw malformed(
          "the pack is damaged", path, "the SHA-256 of \(quoted(file.path)) is not the listed one",
          "Copy or download it again.")
      }
    }
    try source.checkUnchanged()
    let model = try NativeModel(path: folder.stagingPath)
    guard Set(model.filePaths) == Set(files.map(\.path).filter { !NativeModel.isEvidence($0) }) else {
      throw malformed("malformed pack", path, "it holds other files than its own manifest lists")
    }
    try model.requireSoundManifest()
    for name in model.componentNames { _ = try model.component(name) }
    for name in model.auxiliaryFileNames { _ = try model.auxiliaryFile(name) }
    try folder.commit()
    return signature != nil
  }

  /// Returns whether a file ends as a pack does.
  package static func isOne(_ path: String) throws -> Bool {
    let file = try InputFile(path: path)
    guard file.size > trailerLength else { return false }
    let end = try file.bytes(at: file.size - magic.count, count: magic.count)
    return end == magic || end == signatureMagic
  }

  /// Returns the files that a pack holds, with their sizes in bytes when unpacked.
  static func contents(of path: String) throws -> [(path: String, byteCount: Int)] {
    try index(of: try InputFile(path: path)).files.map { ($0.path, $0.count) }
  }

  /// Reads the index of a pack, the trailer that names it, and the signature of the trailer; nil without one.
  private static func index(
    of source: InputFile
  ) throws -> (files: [File], trailer: [UInt8], signature: [UInt8]?) {
    let signature = try signature(in: source)
    let end = source.size - (signature == nil ? 0 : signatureFrameLength)
    let (files, trailer) = try files(in: source, end: end)
    return (files, trailer, signature)
  }

  /// Finds and reads the index before the end of a pack, and returns it with the trailer that names it.
  private static func files(in source: InputFile, end: Int) throws -> (files: [File], trailer: [UInt8]) {
    func fault(_ why: String) -> BenbenError {
      BenbenError(.malformed, "not a pack of ours", at: source.path, because: why, code: .notAPack)
    }
    let trailerLength = 8 + Pack.trailerLength
    guard end >= trailerLength else { throw fault("\(source.size) bytes are too few") }
    let trailerStart = end - trailerLength
    let trailerBytes = try source.bytes(at: trailerStart, count: trailerLength)
    var trailer = ByteReader(trailerBytes)
    guard trailer.unsigned(4) == UInt64(skippableMagic), trailer.integer(4) == Pack.trailerLength,
      let start = trailer.integer(8), let length = trailer.integer(8),
      let hash = trailer.run(32),
      trailer.run(8)?.elementsEqual(magic) == true
    else {
      let isFrame = try source.bytes(at: 0, count: 4) == Zstd.magic
      throw fault(
        "it does not end with the place of an index" + (isFrame ? "; if it is one, it is cut short" : ""))
    }
    guard length <= maximumIndexLength, start <= trailerStart - 8, start + 8 + length == trailerStart else {
      throw fault("its index of \(length) bytes at byte \(start) does not end where it must")
    }
    var frame = ByteReader(try source.bytes(at: start, count: 8))
    guard frame.unsigned(4) == UInt64(skippableMagic), frame.integer(4) == length else {
      throw fault("no index stands at byte \(start)")
    }
    let bytes = try source.bytes(at: start + 8, count: length)
    guard Digest.sha256Bytes(bytes).elementsEqual(hash) else { throw fault("its index is damaged") }
    let index: JSONValue
    do {
      index = try JSONValue(parsing: bytes)
    } catch {
      throw fault("its index: \(error.description)")
    }
    return (
      try Pack.files(index, dataLength: start, path: source.path), Array(trailerBytes.dropFirst(8))
    )
  }
}
