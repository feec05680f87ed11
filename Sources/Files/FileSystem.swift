import Foundation

/// Questions about paths, and the paths of their neighbours.
public enum FileSystem {
  /// Whether something is there; links are followed.
  public static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  /// Whether a folder is there; links are followed.
  public static func isFolder(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  /// The names of everything in a folder, sorted by their bytes; empty when it cannot be read.
  public static func entries(of folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [])
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// The names of the visible files of a folder, sorted by their bytes.
  public static func files(in folder: String) -> [String] {
    entries(of: folder).filter { !$0.hasPrefix(".") && !isFolder(folder + "/" + $0) }
  }

  /// The names of the sub-folders of a folder, sorted by their bytes.
  public static func folders(in folder: String) -> [String] {
    entries(of: folder).filter { isFolder(folder + "/" + $0) }
  }

  /// The path with all links resolved.
  public static func realPath(_ path: String) -> String {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  }

  /// The folder that holds a path: `a` for `a/b`, `.` for `b`, `/` for `/b`.
  public static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// The last component of a path.
  public static func lastComponent(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// The temporary sibling of a path: `a/.b.partial` for `a/b`.
  static func partial(of path: String) -> String {
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    return path[..<slash] + "." + path[slash...] + ".partial"
  }
}
