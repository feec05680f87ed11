import CLinux
import Foundation
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A file that is written beside its destination and renamed into place: whole, or not at all.
///
/// The temporary sibling is `.NAME.partial`, locked while it is written. A killed process leaves it behind unlocked,
/// and the next process that writes the same output empties and reuses it.
package final class StagedFile {
  /// The temporary sibling.
  package let file: OutputFile
  private let destination: String
  private let mayReplace: Bool
  private var isFinished = false

  /// Creates the temporary sibling, or takes over one that a killed process left behind.
  ///
  /// A link at the destination is followed: what it points to is replaced.
  ///
  /// - Parameters:
  ///   - size: the number of bytes to reserve, so that a full disk is noticed before the work starts.
  ///   - waits: whether to wait for another process that is writing the same output, instead of failing.
  /// - Throws: ``BenbenError`` when the destination may not be replaced, is not a regular file, is being written by
  ///   another process, or cannot be created.
  package init(destination: String, size: Int = 0, mayReplace: Bool, waits: Bool = false) throws {
    try FileSystem.requireName(destination)
    let destination = FileSystem.resolvingLink(destination)
    try FileSystem.requireShortName(destination)
    // The rename would replace a device or a pipe instead of writing to it.
    var status = stat()
    guard stat(destination, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw BenbenError(
        .cannotCreate, "cannot create", at: destination,
        because: FileSystem.isFolder(destination) ? "it is a folder" : "it is no regular file",
        remedies: ["Write elsewhere."])
    }
    if !mayReplace, FileSystem.exists(destination) { throw BenbenError.outputExists(destination) }
    try FileSystem.requireParent(of: destination)
    self.destination = destination
    self.mayReplace = mayReplace
    file = try OutputFile(locking: FileSystem.partial(of: destination), waits: waits)
    try file.reset(size: size)
  }

  deinit {
    // A file that is no longer at its path belongs to somebody else, as does the one that is there now.
    if !isFinished, file.isAtItsPath { unlink(file.path) }
  }

  /// Syncs the file and renames it into place.
  ///
  /// - Throws: ``BenbenError``, also when the destination appeared meanwhile and may not be replaced.
  package func commit() throws {
    try file.finish()
    guard file.isAtItsPath else {
      throw BenbenError(
        .inputOutput, "cannot put the output in place", at: destination,
        because: "its temporary file was removed or replaced meanwhile")
    }
    // Opened before the file is renamed, so that only the sync itself can fail when the output is in place.
    let parent = try StagedFolder.openFolder(FileSystem.parent(of: destination))
    defer { try? parent.close() }
    let isLinked = try move()
    // The output is in place, whether its second name goes or not.
    isFinished = true
    let synced = Result { try StagedFolder.sync(parent, destination) }
    if isLinked { try removeTemporaryName() }
    try synced.get()
  }

  /// Renames the file, or gives it a second name; returns whether the temporary one is still there.
  private func move() throws -> Bool {
    if mayReplace {
      if rename(file.path, destination) == 0 { return false }
    } else {
      if bb_rename_new(file.path, destination) == 0 { return false }
      // A file system that cannot rename that way can still link, which never replaces.
      if errno == EINVAL || errno == ENOSYS, link(file.path, destination) == 0 { return true }
      if errno == EEXIST { throw BenbenError.outputExists(destination) }
    }
    throw BenbenError.cannotCreate(destination, Errno(rawValue: errno))
  }

  /// Removes the temporary name of a file that has got its own; a passing failure does not leave it behind.
  private func removeTemporaryName() throws {
    if unlink(file.path) == 0 || unlink(file.path) == 0 { return }
    throw BenbenError(
      .inputOutput, "cannot remove the temporary name of the output", at: file.path,
      because: Errno(rawValue: errno).description,
      remedies: ["The output is in place; remove that name by hand."])
  }

  /// Writes a small file as a whole, replacing an existing one.
  ///
  /// A link is followed: its target is replaced. A device, a pipe, and a name of an open descriptor such as
  /// `/dev/stdout` are written to directly.
  ///
  /// - Throws: ``BenbenError`` when it cannot be created or written.
  package static func write(_ contents: [UInt8], to path: String) throws {
    if isWrittenDirectly(path) {
      let file = try OutputFile(existing: path)
      return try contents.withUnsafeBytes { try file.append($0) }
    }
    let staged = try StagedFile(destination: path, mayReplace: true, waits: true)
    try contents.withUnsafeBytes { try staged.file.write($0, at: 0) }
    try staged.commit()
  }

  /// Throws when ``write(_:to:)`` is bound to fail; called before long work, since reports are written last.
  package static func requireWritable(_ path: String) throws {
    if isWrittenDirectly(path) { return }
    let destination = FileSystem.resolvingLink(path)
    let parent = FileSystem.parent(of: destination)
    let why: String? =
      if FileSystem.isFolder(destination) {
        "it is a folder"
      } else if !FileSystem.exists(parent) {
        "there is no folder \(parent)"
      } else if !FileManager.default.isWritableFile(atPath: parent) {
        "its folder is not writable"
      } else {
        nil
      }
    if let why { throw BenbenError(.cannotCreate, "cannot write", at: path, because: why) }
    try FileSystem.requireShortName(destination)
  }

  /// Whether a path is that of a device, a pipe, or an open descriptor.
  package static func isWrittenDirectly(_ path: String) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else { return false }
    return status.st_mode & S_IFMT != S_IFREG
      || ["/dev/std", "/dev/fd/", "/proc/"].contains(where: path.hasPrefix)
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
