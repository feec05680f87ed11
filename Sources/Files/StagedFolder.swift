import CLinux
import Foundation
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A folder that is written beside its destination and renamed into place: whole, or not at all.
///
/// The temporary sibling is `.NAME.partial`, locked while it is written. A killed process leaves it behind unlocked,
/// and the next process that writes the same output empties and reuses it.
package final class StagedFolder {
  /// The folder to write into, `.NAME.partial` beside the destination.
  package let stagingPath: String
  private let destination: String
  private let mayReplace: Bool
  private let lock: FileDescriptor
  private var subfolders: Set<String> = []
  private var isFinished = false

  /// Creates the temporary sibling, or takes over one that a killed process left behind.
  ///
  /// - Parameters:
  ///   - mayReplace: whether an existing output is replaced.
  ///   - waits: whether to wait for another process that is writing the same output, instead of failing.
  ///   - isReplaceable: returns whether an existing, non-empty folder is of the kind that may be replaced; its contents
  ///     are lost.
  /// - Throws: ``BenbenError`` when the destination may not be replaced, is being written by another process, or cannot
  ///   be created.
  package init(
    destination: String, mayReplace: Bool, waits: Bool = false, isReplaceable: (_ folder: String) -> Bool
  ) throws {
    var trimmed = destination
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.destination = trimmed
    self.mayReplace = mayReplace
    guard !trimmed.isEmpty, !["/", ".", ".."].contains(FileSystem.lastComponent(trimmed)) else {
      throw BenbenError(
        .usage, "not a place for an output", at: "\"\(destination)\"",
        because: "the folder needs a name of its own")
    }
    if !mayReplace, FileSystem.exists(trimmed) { throw BenbenError.outputExists(trimmed) }
    guard
      !FileSystem.exists(trimmed)
        || FileSystem.isFolder(trimmed)
          && (FileSystem.entries(of: trimmed).isEmpty || isReplaceable(trimmed))
    else {
      throw BenbenError(
        .cannotCreate, "the output would replace something else", at: trimmed,
        because: "it is not an output of this kind, or holds more than one", code: .outputIsForeign)
    }
    stagingPath = FileSystem.parent(of: trimmed) + "/." + FileSystem.lastComponent(trimmed) + ".partial"
    lock = try Self.lockFolder(stagingPath, waits: waits)
    try removeContents()
  }

  deinit {
    // Not committed: leave nothing behind.
    if !isFinished { try? FileManager.default.removeItem(atPath: stagingPath) }
    try? lock.close()
  }

  private static func lockFolder(_ path: String, waits: Bool) throws -> FileDescriptor {
    // Between opening and locking, another process may have renamed the folder away; then start over.
    for _ in 0..<100 {
      if mkdir(path, 0o777) != 0, errno != EEXIST { throw cannotCreate(path, Errno(rawValue: errno)) }
      let descriptor: FileDescriptor
      do {
        descriptor = try FileDescriptor.open(
          FilePath(path), .readOnly, options: [.directory, .noFollow, .closeOnExec])
      } catch Errno.noSuchFileOrDirectory {
        continue
      } catch let error as Errno { throw cannotCreate(path, error) }
      guard flock(descriptor.rawValue, waits ? LOCK_EX : LOCK_EX | LOCK_NB) == 0 else {
        try? descriptor.close()
        throw BenbenError.outputIsBusy(path)
      }
      var opened = stat()
      var named = stat()
      if fstat(descriptor.rawValue, &opened) == 0, stat(path, &named) == 0, opened.st_ino == named.st_ino {
        return descriptor
      }
      try? descriptor.close()
    }
    throw cannotCreate(path, .resourceBusy)
  }

  private static func cannotCreate(_ path: String, _ error: Errno) -> BenbenError {
    BenbenError(.cannotCreate, "cannot create the output", at: path, because: error.description)
  }

  private func removeContents() throws {
    do {
      for entry in try FileManager.default.contentsOfDirectory(atPath: stagingPath) {
        try FileManager.default.removeItem(atPath: stagingPath + "/" + entry)
      }
    } catch {
      throw BenbenError(
        .cannotCreate, "cannot clean up after an earlier run", at: stagingPath,
        because: error.localizedDescription)
    }
  }

  /// Syncs the staging folder with its sub-folders and renames it into place.
  package func commit() throws {
    for folder in subfolders.sorted() { try Self.sync(folder: folder) }
    try Self.sync(folder: stagingPath)
    if FileSystem.exists(destination) {
      guard mayReplace else {
        throw BenbenError(
          .cannotCreate, "the output exists", at: destination,
          because: "it appeared while this run was writing")
      }
      try exchange()
    } else {
      try funnel(rename(stagingPath, destination), destination)
    }
    isFinished = true
    try Self.sync(folder: FileSystem.parent(of: destination))
  }

  /// Swaps the old and new folders in one step, then removes the old one.
  private func exchange() throws {
    // The old folder is locked before it takes the staging folder's name, so that no other process writes into it.
    let old = try? FileDescriptor.open(FilePath(destination), .readOnly, options: [.directory, .closeOnExec])
    defer { try? old?.close() }
    if let old { flock(old.rawValue, LOCK_EX | LOCK_NB) }
    try funnel(bb_exchange(stagingPath, destination), destination)
    try? FileManager.default.removeItem(atPath: stagingPath)
  }

  private func funnel(_ status: Int32, _ path: String) throws {
    if status != 0 {
      throw BenbenError(
        .inputOutput, "cannot put the output in place", at: path, because: Errno(rawValue: errno).description)
    }
  }

  /// Syncs the entries of one folder; files are synced by their writers.
  static func sync(folder: String) throws {
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(FilePath(folder), .readOnly, options: [.directory, .closeOnExec])
    } catch let error as Errno {
      throw BenbenError(.inputOutput, "cannot sync", at: folder, because: error.description)
    }
    defer { try? descriptor.close() }
    guard fsync(descriptor.rawValue) == 0 else {
      throw BenbenError(
        .inputOutput, "cannot sync", at: folder, because: Errno(rawValue: errno).description)
    }
  }

  /// Creates a file in the staging folder, together with its parent folders.
  package func create(_ relativePath: String, size: Int = 0) throws -> OutputFile {
    if let slash = relativePath.lastIndex(of: "/") {
      let folder = stagingPath + "/" + relativePath[..<slash]
      do {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      } catch {
        throw BenbenError(.inputOutput, "cannot create", at: folder, because: error.localizedDescription)
      }
      subfolders.insert(folder)
    }
    return try OutputFile(path: stagingPath + "/" + relativePath, size: size)
  }

  /// Writes a small file into the staging folder, creating its parent folders, and syncs it.
  package func write(_ contents: [UInt8], to relativePath: String) throws {
    let file = try create(relativePath)
    try contents.withUnsafeBytes { try file.write($0, at: 0) }
    try file.finish()
  }
}
