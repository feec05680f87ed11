import SystemPackage
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// A new file that is written by position and synced before it counts.
final class OutputFile: Sendable {
  let path: String
  private let descriptor: FileDescriptor

  /// Creates the file; its blocks are taken at once when the size is known, so that a full disk shows before the work.
  init(path: String, size: Int = 0) throws {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: [
          .ownerReadWrite, .groupRead, .otherRead,
        ])
    } catch let error as Errno {
      let isFull = error == .noSpace || error == .diskQuotaExceeded
      throw BenbenError(
        isFull ? .inputOutput : .cannotCreate, "cannot create", at: path, because: error.description)
    }
    if size > 0 {
      let status = posix_fallocate(descriptor.rawValue, 0, off_t(size))
      if status != 0 {
        throw BenbenError(
          .inputOutput, "cannot allocate \(size) bytes", at: path,
          because: Errno(rawValue: status).description,
          remedies: ["Free space on that disk, or write to another one."])
      }
    }
  }

  deinit { try? descriptor.close() }

  /// Writes all bytes at a position.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    do {
      _ = try descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    } catch let error as Errno {
      throw BenbenError(.inputOutput, "writing failed", at: path, because: error.description)
    }
  }

  /// Shows other runs that this one is writing.
  func lock() { flock(descriptor.rawValue, LOCK_EX | LOCK_NB) }

  /// Syncs the file; a failed sync is final, never tried again.
  func finish() throws {
    guard fsync(descriptor.rawValue) == 0 else {
      throw BenbenError(.inputOutput, "cannot sync", at: path, because: Errno(rawValue: errno).description)
    }
  }
}
