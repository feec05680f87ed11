import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A new file, written at explicit offsets and synced at the end.
package final class OutputFile: Sendable {
  /// The path, for messages.
  package let path: String
  private let descriptor: FileDescriptor

  /// Creates the file, which must not exist.
  ///
  /// - Parameter size: the number of bytes to reserve, so that a full disk is noticed before the work starts.
  package init(path: String, size: Int = 0) throws {
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

  /// Opens an existing device or pipe.
  init(existing path: String) throws {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(FilePath(path), .writeOnly, options: [.closeOnExec])
    } catch let error as Errno {
      throw BenbenError(.cannotCreate, "cannot write", at: path, because: error.description)
    }
  }

  deinit { try? descriptor.close() }

  /// Writes bytes where the last write ended, for a device or pipe that has no offsets.
  func append(_ bytes: UnsafeRawBufferPointer) throws {
    do {
      _ = try descriptor.writeAll(bytes)
    } catch let error as Errno {
      throw BenbenError(.inputOutput, "writing failed", at: path, because: error.description)
    }
  }

  /// Writes all bytes at an offset.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    do {
      _ = try descriptor.writeAll(toAbsoluteOffset: Int64(offset), bytes)
    } catch let error as Errno {
      throw BenbenError(.inputOutput, "writing failed", at: path, because: error.description)
    }
  }

  /// Takes the file lock that tells other processes that this one is writing.
  func lock() { flock(descriptor.rawValue, LOCK_EX | LOCK_NB) }

  /// Syncs the file; a failed sync is final and never retried.
  package func finish() throws {
    guard fsync(descriptor.rawValue) == 0 else {
      throw BenbenError(.inputOutput, "cannot sync", at: path, because: Errno(rawValue: errno).description)
    }
  }
}
