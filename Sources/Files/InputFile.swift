import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A regular file opened for reading at explicit offsets.
///
/// The bytes read are copied, so a file that is truncated while it is being read causes an error and never a trap.
package final class InputFile: Sendable {
  /// The path as passed to the initialiser, for messages.
  package let path: String
  /// The size in bytes when the file was opened.
  package let size: Int
  private let descriptor: FileDescriptor
  private let identity: FileIdentity

  /// Opens a regular file; pipes, devices and folders are refused, and never block.
  package init(path: String) throws {
    (descriptor, identity) = try FileDescriptor.openRegular(path)
    self.path = path
    size = identity.size
  }

  deinit { try? descriptor.close() }

  /// The path where the open file lies, whatever stood at ``path`` before or stands there since.
  ///
  /// Where the system does not tell, it is that of what stands at ``path`` now.
  package var realPath: String { descriptor.realPath ?? FileSystem.realPath(path) }

  /// Maps the open file.
  package func mapped() throws -> MappedFile {
    try MappedFile(descriptor, size: size, path: path)
  }

  /// Reads exactly `buffer.count` bytes, starting at `offset`.
  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws {
    guard offset >= 0, offset <= size, buffer.count <= size - offset else {
      throw BenbenError(
        .malformed, "a range lies outside the file", at: path,
        because: "bytes \(offset)..+\(buffer.count) of \(size)")
    }
    var done = 0
    while done < buffer.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
      let count: Int
      do {
        count = try descriptor.read(fromAbsoluteOffset: Int64(offset + done), into: rest)
      } catch let errno as Errno {
        throw BenbenError(.inputOutput, "reading failed", at: path, because: errno.description)
      }
      if count == 0 {
        throw BenbenError(
          .inputOutput, "the file became shorter while it was read", at: path,
          because: "no data at byte \(offset + done)")
      }
      done += count
    }
  }

  /// Reads a range as an array; `count` must already have been checked against a limit.
  package func bytes(at offset: Int, count: Int) throws -> [UInt8] {
    guard count >= 0, count <= size else {
      throw BenbenError(
        .malformed, "a range lies outside the file", at: path, because: "\(count) bytes of \(size)")
    }
    var failure: (any Error)?
    let array = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      do {
        try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        initialized = count
      } catch { failure = error }
    }
    if let failure { throw failure }
    return array
  }

  /// Reads the whole file, which may be no larger than `limit` bytes.
  package static func contents(of path: String, limit: Int) throws -> [UInt8] {
    try InputFile(path: path).contents(limit: limit)
  }

  /// Reads the whole file, which may be no larger than `limit` bytes.
  package func contents(limit: Int) throws -> [UInt8] {
    guard size <= limit else {
      throw BenbenError(
        .malformed, "the file is too large", at: path,
        because: "\(size) bytes, at most \(limit) expected")
    }
    return try bytes(at: 0, count: size)
  }

  /// Throws when the file that was opened has changed since, or another one stands at its path.
  package func checkUnchanged() throws {
    let now = try FileIdentity(of: descriptor, path: path)
    if try now != identity || FileIdentity(path: path) != identity {
      throw BenbenError(
        .inputOutput, "the file changed while it was read", at: path,
        because: "its size, times or inode are others now",
        remedies: ["Run again when nothing writes to it."])
    }
  }

  /// A text that differs for another file, and for this one once it was changed.
  package var fingerprint: String { identity.description }

  /// Returns the SHA-256 of the whole file, in lower-case hexadecimal.
  ///
  /// - Throws: ``BenbenError`` when reading fails, and `CancellationError` when the task is cancelled.
  package func sha256() throws -> String { try sha256(of: 0..<size) }

  /// Returns the SHA-256 of a range of the file, in lower-case hexadecimal.
  package func sha256(of range: Range<Int>) throws -> String {
    var hash = Digest()
    var offset = range.lowerBound
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { chunk.deallocate() }
    while offset < range.upperBound {
      try Task.checkCancellation()
      let part = UnsafeMutableRawBufferPointer(
        rebasing: chunk[..<min(chunk.count, range.upperBound - offset)])
      try read(at: offset, into: part)
      hash.update(UnsafeRawBufferPointer(part))
      offset += part.count
    }
    return hash.finalize()
  }
}
