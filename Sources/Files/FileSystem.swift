import Foundation
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// Queries about paths in the file system, and paths derived from them.
package enum FileSystem {
  /// Returns whether a file or folder exists at a path; links are followed.
  package static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Returns whether a path is that of a folder; links are followed.
  package static func isFolder(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  /// Returns the names of all entries of a folder, sorted by their bytes; empty when the folder cannot be read.
  package static func entries(of folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Returns the paths of all files below a folder, relative to it; links are not followed and count as files.
  package static func filesBelow(_ folder: String) -> [String] {
    entries(of: folder).flatMap { name -> [String] in
      let path = folder + "/" + name
      let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
      guard !isLink, isFolder(path) else { return [name] }
      return filesBelow(path).map { name + "/" + $0 }
    }
  }

  /// Returns the names of the visible files of a folder, sorted by their bytes.
  package static func files(in folder: String) -> [String] {
    entries(of: folder).filter { !$0.hasPrefix(".") && !isFolder(folder + "/" + $0) }
  }

  /// Returns the paths of the visible files of a folder, sorted by their bytes.
  package static func paths(in folder: String) -> [String] {
    files(in: folder).map { (folder.hasSuffix("/") ? folder : folder + "/") + $0 }
  }

  /// Returns the names of the sub-folders of a folder, sorted by their bytes.
  package static func folders(in folder: String) -> [String] {
    entries(of: folder).filter { isFolder(folder + "/" + $0) }
  }

  /// Makes a folder.
  static func makeFolder(_ path: String, permissions: mode_t = 0o777, mayExist: Bool = false) throws {
    var status = mkdir(path, permissions)
    while status != 0, errno == EINTR { status = mkdir(path, permissions) }
    guard status == 0 || mayExist && errno == EEXIST else {
      throw BenbenError.cannotCreate(path, Errno(rawValue: errno))
    }
  }

  /// Makes a folder and those above it, unless it is there.
  package static func makeFolders(_ path: String) throws {
    guard !isFolder(path) else { return }
    let above = parent(of: path)
    if above != path { try makeFolders(above) }
    try makeFolder(path)
  }

  /// Throws when a path is that of a folder whose contents this user may not see.
  package static func requireReadable(folder path: String) throws {
    guard isFolder(path), access(path, R_OK | X_OK) != 0 else { return }
    throw BenbenError.cannotOpen(path, Errno(rawValue: errno))
  }

  /// Throws for "-", by which a user hardly means a file of that name.
  static func requireName(_ output: String) throws {
    guard output != "-" else {
      throw BenbenError(
        .usage, "there is no writing to standard output here", at: output,
        because: "it would be a file of that name",
        remedies: ["Name a file; ./- is one."])
    }
  }

  /// Throws for a name that is longer than file systems allow, with what is added to it while the output is written.
  static func requireShortName(_ output: String) throws {
    let length = lastComponent(output).utf8.count
    // What is added while it is written.
    let longest = maximumNameLength - (lastComponent(partial(of: output)).utf8.count - length)
    guard length > longest else { return }
    throw BenbenError(
      .cannotCreate, "cannot create", at: output,
      because: "its name has \(length) bytes, of which \(longest) are possible",
      remedies: ["Give it a shorter one."])
  }

  private static let maximumNameLength = 255

  /// Throws when the folder in which an output is to be written does not exist.
  static func requireParent(of output: String) throws {
    let parent = parent(of: output)
    if exists(parent), !isFolder(parent) {
      throw BenbenError(
        .cannotCreate, "cannot create", at: output, because: "\(parent) is a file, not a folder",
        remedies: ["Write elsewhere."])
    }
    guard isFolder(parent) else {
      throw BenbenError(
        .cannotCreate, "cannot create", at: output, because: "there is no folder \(parent)",
        remedies: ["Make it first: mkdir -p \(parent)"])
    }
  }

  /// Returns the path with all links resolved.
  package static func realPath(_ path: String) -> String {
    // What Foundation resolves ends at 1024 bytes.
    guard let resolved = realpath(path, nil) else {
      return URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Returns the path that a chain of links at a path leads to, whether anything stands there or not; the path itself
  /// when it is no link, or the links form a cycle.
  package static func resolvingLink(_ path: String) -> String {
    var resolved = path
    for _ in 0..<40 {
      guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: resolved) else {
        return resolved
      }
      resolved = target.hasPrefix("/") ? target : parent(of: resolved) + "/" + target
    }
    return path
  }

  /// Returns the folder that holds a path: `a` for `a/b` and `a//b/`, `.` for `b`, `/` for `/b`.
  package static func parent(of path: String) -> String {
    let names = path.utf8.split(separator: UInt8(ascii: "/"))
    guard names.count > 1 else { return path.utf8.first == UInt8(ascii: "/") ? "/" : "." }
    return String(path[..<names[names.count - 2].endIndex])
  }

  /// Returns the last component of a path.
  package static func lastComponent(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Returns the temporary sibling of a path: `a/.b.partial` for `a/b`.
  static func partial(of path: String) -> String {
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    return path[..<slash] + "." + path[slash...] + ".partial"
  }
}
