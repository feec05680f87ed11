import CLinux
import Foundation
import SystemPackage
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// A folder that is written beside its destination and put in place by one rename: whole, or not at all.
///
/// The staging folder is locked while it is written. A run that was killed leaves it behind unlocked, and the next
/// run on the same output empties it and uses it.
public final class StagedFolder {
  /// The folder to write into, `.NAME.partial` beside the destination.
  public let stagingPath: String
  private let destination: String
  private let mayReplace: Bool
  private let lock: FileDescriptor
  private var isFinished = false

  /// Creates (or takes over) the staging folder.
  ///
  /// - Throws: ``BenbenError`` when the destination exists and may not be replaced, when another run is writing it, or
  ///   when the folder cannot be made.
  public init(destination: String, mayReplace: Bool) throws {
    var trimmed = destination
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.destination = trimmed
    self.mayReplace = mayReplace
    guard !trimmed.isEmpty, !["/", ".", ".."].contains(lastComponent(trimmed)) else {
      throw BenbenError(
        .usage, "not a place for a model", at: "\"\(destination)\"",
        because: "the folder needs a name of its own")
    }
    if CheckpointFolder.exists(trimmed), !mayReplace {
      throw BenbenError(
        .cannotCreate, "the output exists", at: trimmed, because: "it would be overwritten",
        remedies: ["Choose another --output, or replace it with --force."])
    }
    try Self.requireReplaceable(trimmed)
    let parent = Self.parent(of: trimmed)
    stagingPath = parent + "/." + lastComponent(trimmed) + ".partial"
    lock = try Self.lockFolder(stagingPath)
    try removeContents()
  }

  deinit {
    // Not committed: leave nothing behind.
    if !isFinished { try? FileManager.default.removeItem(atPath: stagingPath) }
    try? lock.close()
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Throws unless a path is free, an empty folder, or a model with nothing else in it: whatever is replaced is lost.
  private static func requireReplaceable(_ path: String) throws {
    guard CheckpointFolder.exists(path) else { return }
    let entries = try? FileManager.default.contentsOfDirectory(atPath: path)
    if entries?.isEmpty == true { return }
    let own = (try? NativeModel(path: path))?.topLevelEntries ?? []
    if let entries, entries.allSatisfy(own.contains) { return }
    throw BenbenError(
      .cannotCreate, "the output would replace something else", at: path,
      because: "it is no model of ours, or holds more than one", remedies: ["Choose another --output."])
  }

  private static func lockFolder(_ path: String) throws -> FileDescriptor {
    // Between opening and locking, another run may have renamed the folder away; then start over.
    for _ in 0..<100 {
      if mkdir(path, 0o777) != 0, errno != EEXIST { throw cannotCreate(path, Errno(rawValue: errno)) }
      let descriptor: FileDescriptor
      do {
        descriptor = try FileDescriptor.open(
          FilePath(path), .readOnly, options: [.directory, .noFollow, .closeOnExec])
      } catch Errno.noSuchFileOrDirectory {
        continue
      } catch let error as Errno { throw cannotCreate(path, error) }
      guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
        try? descriptor.close()
        throw BenbenError(
          .cannotCreate, "another run is writing this output", at: path, because: "it holds the lock",
          remedies: ["Wait until it ends, or choose another --output."])
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

  /// Syncs everything and renames the staging folder to its destination.
  public func commit() throws {
    try Self.sync(folder: stagingPath)
    if CheckpointFolder.exists(destination) {
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
    try Self.sync(folder: Self.parent(of: destination))
  }

  /// Swaps old and new in one step, then removes the old one.
  private func exchange() throws {
    // The old model's folder is locked before it takes the staging folder's name, so that no other run writes into it.
    let old = try? FileDescriptor.open(FilePath(destination), .readOnly, options: [.directory, .closeOnExec])
    defer { try? old?.close() }
    if let old { flock(old.rawValue, LOCK_EX | LOCK_NB) }
    try funnel(benben_exchange(stagingPath, destination), destination)
    try? FileManager.default.removeItem(atPath: stagingPath)
  }

  private func funnel(_ status: Int32, _ path: String) throws {
    if status != 0 {
      throw BenbenError(
        .inputOutput, "cannot put the output in place", at: path, because: Errno(rawValue: errno).description)
    }
  }

  /// Syncs one folder's entries; files are synced by their writer.
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

  /// Creates a file in the staging folder, with its parent folders.
  func create(_ relativePath: String, size: Int = 0) throws -> OutputFile {
    if let slash = relativePath.lastIndex(of: "/") {
      let folder = stagingPath + "/" + relativePath[..<slash]
      do {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      } catch {
        throw BenbenError(.inputOutput, "cannot create", at: folder, because: error.localizedDescription)
      }
    }
    return try OutputFile(path: stagingPath + "/" + relativePath, size: size)
  }

  /// Writes a small file into the staging folder, with its parent folders, and syncs it.
  public func write(_ contents: [UInt8], to relativePath: String) throws {
    let file = try create(relativePath)
    try contents.withUnsafeBytes { try file.write($0, at: 0) }
    try file.finish()
    if let slash = relativePath.lastIndex(of: "/") {
      try Self.sync(folder: stagingPath + "/" + relativePath[..<slash])
    }
  }
}
