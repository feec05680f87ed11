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
  let destination: String
  private let mayReplace: Bool
  private let isReplaceable: (_ folder: String) throws -> Bool
  private let lock: FileDescriptor
  private var subfolders: Set<String> = []
  private var isFinished = false

  /// Creates the temporary sibling, or takes over one that a killed process left behind.
  ///
  /// A link at the destination is followed: the folder that it points to is replaced.
  ///
  /// - Parameters:
  ///   - mayReplace: whether an existing output is replaced.
  ///   - waits: whether to wait for another process that is writing the same output, instead of failing.
  ///   - keeping: returns the names of the files in a folder that a killed process left behind with which this run goes
  ///     on; all others are removed.
  ///   - isReplaceable: returns whether an existing, non-empty folder is of the kind that may be replaced; its contents
  ///     are lost. It is asked again when the folder is put in place.
  /// - Throws: ``BenbenError`` when the destination may not be replaced, is being written by another process, or cannot
  ///   be created.
  package init(
    destination: String, mayReplace: Bool, waits: Bool = false,
    keeping: (_ folder: String) throws -> Set<String> = { _ in [] },
    isReplaceable: @escaping (_ folder: String) throws -> Bool
  ) throws {
    self.destination = try Self.requirePossible(
      destination, mayReplace: mayReplace, isReplaceable: isReplaceable)
    self.mayReplace = mayReplace
    self.isReplaceable = isReplaceable
    stagingPath = Self.staging(of: self.destination)
    lock = try Self.lockFolder(stagingPath, waits: waits)
    try settleAside()
    try removeContents(except: try keeping(stagingPath))
  }

  /// Returns the folder that a destination stands for, links resolved, when it is free or may be replaced.
  ///
  /// - Throws: ``BenbenError`` otherwise; called also before long work, whose output is written last.
  @discardableResult
  package static func requirePossible(
    _ destination: String, mayReplace: Bool, isReplaceable: (_ folder: String) throws -> Bool
  ) throws -> String {
    try FileSystem.requireName(destination)
    let trimmed = resolved(destination)
    guard !trimmed.isEmpty, !["/", ".", ".."].contains(FileSystem.lastComponent(trimmed)) else {
      throw BenbenError(
        .usage, "not a place for an output", at: "\"\(destination)\"",
        because: "the folder needs a name of its own")
    }
    if !mayReplace, FileSystem.exists(trimmed) { throw BenbenError.outputExists(trimmed) }
    if FileSystem.exists(trimmed), try !mayLose(trimmed, isReplaceable) { throw isForeign(trimmed) }
    try FileSystem.requireShortName(trimmed)
    try FileSystem.requireParent(of: trimmed)
    return trimmed
  }

  /// Returns a path without slashes at its end, and without links.
  private static func resolved(_ destination: String) -> String {
    func trimmed(_ path: String) -> String {
      var path = path
      while path.count > 1, path.hasSuffix("/") { path.removeLast() }
      return path
    }
    return trimmed(FileSystem.resolvingLink(trimmed(destination)))
  }

  /// Returns the temporary sibling of a destination.
  package static func staging(of destination: String) -> String {
    let destination = resolved(destination)
    return FileSystem.parent(of: destination) + "/." + FileSystem.lastComponent(destination) + ".partial"
  }

  /// Leaves the temporary sibling behind, for a later run to go on with.
  package func keep() { isFinished = true }

  deinit {
    // Not committed: leave nothing behind.
    if !isFinished { try? FileManager.default.removeItem(atPath: stagingPath) }
    try? lock.close()
  }

  private static func lockFolder(_ path: String, waits: Bool) throws -> FileDescriptor {
    // Between opening and locking, another process may have renamed the folder away; then start over.
    for _ in 0..<100 {
      try FileSystem.makeFolder(path, mayExist: true)
      let descriptor: FileDescriptor
      do {
        descriptor = try FileDescriptor.open(
          FilePath(path), .readOnly, options: [.directory, .noFollow, .closeOnExec])
      } catch Errno.noSuchFileOrDirectory {
        continue
      } catch let error as Errno { throw BenbenError.cannotCreate(path, error) }
      guard OutputFile.lock(descriptor, waits: waits) else {
        try? descriptor.close()
        throw BenbenError.outputIsBusy(path)
      }
      var opened = stat()
      var named = stat()
      guard fstat(descriptor.rawValue, &opened) == 0, opened.st_uid == geteuid() else {
        try? descriptor.close()
        throw BenbenError(
          .cannotCreate, "cannot create", at: path, because: "another user's folder stands there")
      }
      if lstat(path, &named) == 0, opened.st_ino == named.st_ino, opened.st_dev == named.st_dev {
        return descriptor
      }
      try? descriptor.close()
    }
    throw BenbenError.cannotCreate(path, .resourceBusy)
  }

  private func removeContents(except kept: Set<String>) throws {
    do {
      let entries = try FileManager.default.contentsOfDirectory(atPath: stagingPath)
      for entry in entries where !kept.contains(entry) {
        try FileManager.default.removeItem(atPath: stagingPath + "/" + entry)
      }
    } catch {
      throw BenbenError(
        .cannotCreate, "cannot clean up after an earlier run", at: stagingPath,
        because: error.localizedDescription)
    }
  }

  private static func mayLose(_ folder: String, _ isReplaceable: (String) throws -> Bool) throws -> Bool {
    guard FileSystem.isFolder(folder) else { return false }
    let entries: [String]
    do { entries = try FileManager.default.subpathsOfDirectory(atPath: folder) } catch {
      // What cannot be listed is not empty.
      throw BenbenError(
        .inputOutput, "cannot look at what would be replaced", at: folder,
        because: error.localizedDescription)
    }
    return try entries.isEmpty || isReplaceable(folder)
  }

  private static func isForeign(_ path: String) -> BenbenError {
    BenbenError(
      .cannotCreate, "the output would replace something else", at: path,
      because: "it is not an output of this kind, or holds more than one", code: .outputIsForeign)
  }

  /// Syncs the staging folder with its sub-folders and renames it into place.
  ///
  /// - Throws: ``BenbenError``, also when something that may not be replaced appeared at the destination meanwhile.
  package func commit() throws {
    for folder in subfolders.sorted() { try Self.sync(folder: folder) }
    try Self.sync(folder: stagingPath)
    // Opened before anything is renamed, so that only the sync itself can fail when the output is in place.
    let parent = try Self.openFolder(FileSystem.parent(of: destination))
    defer { try? parent.close() }
    if bb_rename_new(stagingPath, destination) != 0 {
      switch errno {
      case EEXIST where mayReplace: try replace(parent)
      case EEXIST:
        throw BenbenError(
          .cannotCreate, "the output exists", at: destination,
          because: "it appeared while this run was writing", code: .outputExists)
      case EINVAL, ENOSYS:
        // A file system that cannot rename that way; a folder is never renamed over one that holds anything.
        if FileSystem.exists(destination) {
          try replace(parent)
        } else {
          try move(stagingPath, to: destination)
        }
      default: throw notInPlace(Errno(rawValue: errno))
      }
    }
    isFinished = true
    try Self.sync(parent, destination)
  }

  /// Swaps the old and new folders, makes that durable, then removes the old one.
  private func replace(_ parent: FileDescriptor) throws {
    guard mayReplace, try Self.mayLose(destination, isReplaceable) else { throw Self.isForeign(destination) }
    // The old folder is locked before it takes the staging folder's name, so that no other process writes into it.
    let old = try? FileDescriptor.open(FilePath(destination), .readOnly, options: [.directory, .closeOnExec])
    defer { try? old?.close() }
    if let old { flock(old.rawValue, LOCK_EX | LOCK_NB) }
    if bb_exchange(stagingPath, destination) != 0 {
      guard errno == EINVAL || errno == ENOSYS else { throw notInPlace(Errno(rawValue: errno)) }
      return try replaceInTwoSteps(parent)
    }
    // What was swapped out is looked at once more: it may have come after the last look.
    let looked = Result { try Self.mayLose(stagingPath, isReplaceable) }
    guard case .success(true) = looked else {
      guard bb_exchange(stagingPath, destination) == 0 else {
        isFinished = true
        throw BenbenError(
          .inputOutput, "cannot put back what was replaced", at: destination,
          because: Errno(rawValue: errno).description, remedies: ["It stands at \(stagingPath)."])
      }
      _ = try looked.get()
      throw Self.isForeign(destination)
    }
    try Self.sync(parent, destination)
    isFinished = true
    try removeReplaced(stagingPath)
  }

  /// Removes what was replaced; the output is in place by then, and a passing failure does not leave the old one behind.
  private func removeReplaced(_ path: String) throws {
    if (try? FileManager.default.removeItem(atPath: path)) != nil { return }
    do { try FileManager.default.removeItem(atPath: path) } catch {
      throw BenbenError(
        .inputOutput, "cannot remove what was replaced", at: path, because: error.localizedDescription,
        remedies: ["The new output is in place; remove the old one by hand."])
    }
  }

  /// Moves the old folder aside first, on a file system that cannot swap; a process that is killed in between leaves it
  /// as `.NAME.partial.old`, and the next one that writes the same output puts it back.
  private func replaceInTwoSteps(_ parent: FileDescriptor) throws {
    try move(destination, to: asidePath)
    do { try move(stagingPath, to: destination) } catch {
      rename(asidePath, destination)
      throw error
    }
    do { try Self.sync(parent, destination) } catch {
      try? FileManager.default.removeItem(atPath: asidePath)
      throw error
    }
    isFinished = true
    try removeReplaced(asidePath)
  }

  /// Where the old folder stands while the new one takes its place, on a file system that cannot swap.
  private var asidePath: String { stagingPath + ".old" }

  /// Puts back the folder that a killed process had moved aside, or removes what is left of it where the new one came into
  /// its place.
  private func settleAside() throws {
    var status = stat()
    guard lstat(asidePath, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid()
    else {
      return
    }
    if rename(asidePath, destination) != 0 {
      guard errno == ENOTEMPTY || errno == EEXIST else { throw notInPlace(Errno(rawValue: errno)) }
      try removeReplaced(asidePath)
    } else if !mayReplace {
      throw BenbenError.outputExists(destination)
    }
  }

  private func move(_ old: String, to new: String) throws {
    guard rename(old, new) == 0 else { throw notInPlace(Errno(rawValue: errno)) }
  }

  /// Creates a file in the staging folder, together with its parent folders.
  ///
  /// - Throws: ``BenbenError`` when it cannot be created, or the path leads out of the folder.
  package func create(_ relativePath: String, size: Int = 0) throws -> OutputFile {
    guard RelativePath.staysInside(relativePath) else {
      throw BenbenError(
        .malformed, "not a path inside the output", at: relativePath, because: "it leads out of the folder")
    }
    var folder = stagingPath
    for part in relativePath.split(separator: "/").dropLast() {
      folder += "/" + part
      if subfolders.contains(folder) { continue }
      try FileSystem.makeFolder(folder)
      subfolders.insert(folder)
    }
    return try OutputFile(path: stagingPath + "/" + relativePath, size: size)
  }

  /// Removes a file from the staging folder.
  package func remove(_ name: String) throws {
    guard unlink(stagingPath + "/" + name) == 0 else {
      let error = Errno(rawValue: errno)
      throw BenbenError(
        [.permissionDenied, .notPermitted, .readOnlyFileSystem].contains(error)
          ? .cannotCreate : .inputOutput, "cannot remove", at: stagingPath + "/" + name,
        because: error.description)
    }
  }

  /// Writes a small file into the staging folder, creating its parent folders, and syncs it.
  package func write(_ contents: [UInt8], to relativePath: String) throws {
    let file = try create(relativePath)
    try contents.withUnsafeBytes { try file.write($0, at: 0) }
    try file.finish()
  }
}
