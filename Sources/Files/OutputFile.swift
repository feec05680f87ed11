import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A new file, written at explicit offsets and synced at the end.
package final class OutputFile: Sendable {
  /// The path, for messages.
  package let path: String
  private let descriptor: FileDescriptor

  private static let permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]

  /// Creates the file, which must not exist.
  ///
  /// - Parameter size: the number of bytes to reserve, so that a full disk is noticed before the work starts.
  package init(path: String, size: Int = 0) throws {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
        permissions: Self.permissions)
    } catch let error as Errno { throw BenbenError.cannotCreate(path, error) }
    do { try reserve(size) } catch {
      unlink(path)
      throw error
    }
  }

  /// Opens a file that an earlier run left, or creates it, with all space reserved and no more than that.
  ///
  /// - Throws: ``BenbenError`` when it cannot be created, or something else than a file of this user's stands there.
  package init(resuming path: String, size: Int) throws {
    self.path = path
    descriptor = try Self.openOwn(path)
    try resize(to: size)
  }

  /// Opens a file of this user's that exists and is no link and linked nowhere else, or creates it, and locks it.
  ///
  /// Whoever holds the lock of the file that stands at the path owns the path: a file that was renamed or removed
  /// between opening and locking is let go, and the next one is tried.
  ///
  /// - Parameter waits: whether to wait for another process that holds the lock, instead of failing.
  init(locking path: String, waits: Bool) throws {
    self.path = path
    for _ in 0..<1000 {
      let descriptor = try Self.openOwn(path)
      guard Self.lock(descriptor, waits: waits) else {
        try? descriptor.close()
        throw BenbenError.outputIsBusy(path)
      }
      if Self.names(path, descriptor) {
        self.descriptor = descriptor
        return
      }
      try? descriptor.close()
    }
    throw BenbenError.cannotCreate(path, .resourceBusy)
  }

  /// Opens an existing device or pipe, or a file by one of the names of an open descriptor.
  init(existing path: String) throws {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(FilePath(path), .writeOnly, options: [.append, .closeOnExec])
    } catch let error as Errno {
      throw BenbenError(.cannotCreate, "cannot write", at: path, because: error.description)
    }
  }

  deinit { try? descriptor.close() }

  /// Opens or creates a regular file of this user's that is no link and linked nowhere else.
  private static func openOwn(_ path: String) throws -> FileDescriptor {
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(
        FilePath(path), .readWrite, options: [.create, .noFollow, .closeOnExec, .nonBlocking],
        permissions: permissions)
    } catch let error as Errno { throw BenbenError.cannotCreate(path, error) }
    var status = stat()
    let isKnown = fstat(descriptor.rawValue, &status) == 0
    guard isKnown, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_nlink <= 1 else {
      try? descriptor.close()
      throw BenbenError(
        .cannotCreate, "cannot create", at: path,
        because: "something else than a file of an earlier run stands there",
        remedies: ["Remove it, or write elsewhere."])
    }
    return descriptor
  }

  /// Locks an open file or folder; false when another process holds the lock.
  static func lock(_ descriptor: FileDescriptor, waits: Bool) -> Bool {
    var status = flock(descriptor.rawValue, waits ? LOCK_EX : LOCK_EX | LOCK_NB)
    while status != 0, errno == EINTR {
      status = flock(descriptor.rawValue, waits ? LOCK_EX : LOCK_EX | LOCK_NB)
    }
    // A file system without locks: two runs on one output are not told apart there.
    return status == 0 || errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS
  }

  private static func names(_ path: String, _ descriptor: FileDescriptor) -> Bool {
    var opened = stat()
    var named = stat()
    return fstat(descriptor.rawValue, &opened) == 0 && lstat(path, &named) == 0
      && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
  }

  /// Whether this file, and no other, stands at its path.
  var isAtItsPath: Bool { Self.names(path, descriptor) }

  /// Empties the file and reserves space.
  func reset(size: Int) throws {
    try truncate(to: 0)
    try reserve(size)
  }

  /// Makes the file as long as `size`, with all of its space reserved; what it holds up to there stays.
  package func resize(to size: Int) throws {
    try reserve(size)
    try truncate(to: size)
  }

  private func truncate(to size: Int) throws {
    var status = ftruncate(descriptor.rawValue, off_t(size))
    while status != 0, errno == EINTR { status = ftruncate(descriptor.rawValue, off_t(size)) }
    guard status == 0 else { throw BenbenError.cannotCreate(path, Errno(rawValue: errno)) }
  }

  private func reserve(_ size: Int) throws {
    guard size > 0 else { return }
    var status = posix_fallocate(descriptor.rawValue, 0, off_t(size))
    while status == EINTR { status = posix_fallocate(descriptor.rawValue, 0, off_t(size)) }
    if status != 0 {
      throw BenbenError(
        .inputOutput, "cannot allocate \(size) bytes", at: path, because: Errno(rawValue: status).description,
        remedies: ["Free space on that disk, or write to another one."])
    }
  }

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

  /// Syncs the file; a failed sync is final and never retried.
  package func finish() throws {
    guard fsync(descriptor.rawValue) == 0 else {
      throw BenbenError(.inputOutput, "cannot sync", at: path, because: Errno(rawValue: errno).description)
    }
  }
}

extension BenbenError {
  /// The error for an output that cannot be created; a full disk is a failure of writing.
  static func cannotCreate(_ path: String, _ error: Errno) -> BenbenError {
    let faults: [Errno] = [
      .noSpace, .diskQuotaExceeded, .ioError, .tooManyOpenFiles, .tooManyOpenFilesInSystem,
    ]
    return BenbenError(
      faults.contains(error) ? .inputOutput : .cannotCreate, "cannot create", at: path,
      because: error.description)
  }
}
