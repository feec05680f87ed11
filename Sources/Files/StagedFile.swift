import Foundation
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A file that is written beside its destination and renamed into place: whole, or not at all.
///
/// The temporary sibling is `.NAME.partial`, locked while it is written. A killed process leaves it behind unlocked,
/// and the next process that writes the same output removes it.
package final class StagedFile {
  /// The temporary sibling.
  package let file: OutputFile
  private let destination: String
  private var isFinished = false

  /// Creates the temporary sibling.
  ///
  /// - Parameters:
  ///   - size: the number of bytes to reserve, so that a full disk is noticed before the work starts.
  ///   - waits: whether to wait for another process that is writing the same output, instead of failing.
  /// - Throws: ``BenbenError`` when the destination may not be replaced, is not a regular file, is being written by
  ///   another process, or cannot be created.
  package init(destination: String, size: Int = 0, mayReplace: Bool, waits: Bool = false) throws {
    // The rename would replace a device or a pipe instead of writing to it.
    var status = stat()
    guard stat(destination, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw BenbenError(.cannotCreate, "cannot create", at: destination, because: "it is no regular file")
    }
    if !mayReplace, FileSystem.exists(destination) { throw BenbenError.outputExists(destination) }
    self.destination = destination
    let path = FileSystem.partial(of: destination)
    try Self.removeStale(path, waits: waits)
    file = try OutputFile(path: path, size: size)
    file.lock()
  }

  deinit { if !isFinished { unlink(file.path) } }

  /// Removes the file that a killed process left behind; a process that is still writing holds the lock.
  private static func removeStale(_ path: String, waits: Bool) throws {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    if descriptor >= 0 {
      defer { close(descriptor) }
      guard flock(descriptor, waits ? LOCK_EX : LOCK_EX | LOCK_NB) == 0 else {
        throw BenbenError.outputIsBusy(path)
      }
    }
    unlink(path)
  }

  /// Syncs the file and renames it into place.
  package func commit() throws {
    try file.finish()
    guard rename(file.path, destination) == 0 else {
      throw BenbenError(
        .cannotCreate, "cannot create", at: destination, because: Errno(rawValue: errno).description)
    }
    isFinished = true
    try StagedFolder.sync(folder: FileSystem.parent(of: destination))
  }

  /// Writes a small file as a whole, replacing an existing one; a device or a pipe is written to directly.
  ///
  /// A link is followed: its target is replaced.
  ///
  /// - Throws: ``BenbenError`` when it cannot be created or written.
  package static func write(_ contents: [UInt8], to path: String) throws {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG, status.st_mode & S_IFMT != S_IFDIR {
      let file = try OutputFile(existing: path)
      return try contents.withUnsafeBytes { try file.append($0) }
    }
    let staged = try StagedFile(destination: FileSystem.realPath(path), mayReplace: true, waits: true)
    try contents.withUnsafeBytes { try staged.file.write($0, at: 0) }
    try staged.commit()
  }

  /// Throws when ``write(_:to:)`` is bound to fail; called before long work, since reports are written last.
  package static func requireWritable(_ path: String) throws {
    let parent = FileSystem.parent(of: path)
    let why: String? =
      if FileSystem.isFolder(path) {
        "it is a folder"
      } else if !FileSystem.exists(parent) {
        "there is no folder \(parent)"
      } else if !FileManager.default.isWritableFile(atPath: parent) {
        "its folder is not writable"
      } else {
        nil
      }
    if let why { throw BenbenError(.cannotCreate, "cannot write", at: path, because: why) }
  }
}

extension BenbenError {
  static func outputExists(_ path: String) -> BenbenError {
    BenbenError(
      .cannotCreate, "the output exists", at: path, because: "it would be overwritten", code: .outputExists)
  }

  static func outputIsBusy(_ path: String) -> BenbenError {
    BenbenError(
      .cannotCreate, "another run is writing this output", at: path, because: "it holds the lock",
      code: .outputIsBusy)
  }
}
