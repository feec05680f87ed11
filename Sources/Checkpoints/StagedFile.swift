import Foundation
import SystemPackage
import Tensors

#if canImport(Glibc)
  import Glibc
#endif

/// One file that is written beside its destination and put in place by a rename: whole, or not at all.
final class StagedFile {
  let file: OutputFile
  private let destination: String
  private var isFinished = false

  /// Creates the temporary sibling, `.NAME.partial`.
  ///
  /// - Throws: ``BenbenError`` when the destination exists and may not be replaced, or the file cannot be made.
  init(destination: String, size: Int = 0, mayReplace: Bool) throws {
    // A device or a pipe would be replaced by the rename, and not written to.
    var status = stat()
    guard stat(destination, &status) != 0 || status.st_mode & S_IFMT == S_IFREG else {
      throw BenbenError(.cannotCreate, "cannot create", at: destination, because: "it is no regular file")
    }
    if CheckpointFolder.exists(destination), !mayReplace {
      throw BenbenError(
        .cannotCreate, "the output exists", at: destination, because: "it would be overwritten",
        remedies: ["Choose another --output, or replace it with --force."])
    }
    self.destination = destination
    let slash = destination.lastIndex(of: "/").map { destination.index(after: $0) } ?? destination.startIndex
    let path = String(destination[..<slash] + "." + destination[slash...] + ".partial")
    try Self.removeStale(path)
    file = try OutputFile(path: path, size: size)
    file.lock()
  }

  deinit { if !isFinished { unlink(file.path) } }

  /// Removes what a killed run left; what another run is writing is locked.
  private static func removeStale(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    if descriptor >= 0 {
      defer { close(descriptor) }
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
        throw BenbenError(
          .cannotCreate, "another run is writing this output", at: path, because: "it holds the lock",
          remedies: ["Wait until it ends, or choose another --output."])
      }
    }
    unlink(path)
  }

  /// Syncs the file and puts it in place.
  func commit() throws {
    try file.finish()
    guard rename(file.path, destination) == 0 else {
      throw BenbenError(
        .cannotCreate, "cannot create", at: destination, because: Errno(rawValue: errno).description)
    }
    isFinished = true
    let parent = destination.lastIndex(of: "/").map { String(destination[...$0]) } ?? "."
    try StagedFolder.sync(folder: parent)
  }
}
