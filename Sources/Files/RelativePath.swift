/// Checks of relative paths that were read from files.
///
/// Paths are judged by their bytes, as the system judges them: to Swift, a slash with a combining mark after it is a
/// character of its own.
package enum RelativePath {
  private static let slash = UInt8(ascii: "/")

  /// Returns whether a path stays inside the folder that it is relative to.
  package static func staysInside(_ path: String) -> Bool {
    path.utf8.split(separator: slash, omittingEmptySubsequences: false).allSatisfy(isName)
  }

  /// Returns whether a text is the name of an entry of a folder, and not a path.
  package static func isName(_ text: String) -> Bool { isName(Substring(text).utf8) }

  /// Returns whether every part of a path consists of letters, digits, dots, hyphens and underscores of ASCII, as the
  /// paths in manifests and packs do, and starts with no dot.
  package static func isPlain(_ path: String) -> Bool {
    staysInside(path) && path.utf8.count <= 1000
      && path.utf8.split(separator: slash).allSatisfy { part in
        part.first != UInt8(ascii: ".") && part.count <= 200
          && part.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
              UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
              UInt8(ascii: "_"):
              true
            default: false
            }
          }
      }
  }

  private static func isName(_ part: Substring.UTF8View) -> Bool {
    !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
      && part.allSatisfy { $0 != 0 && $0 != slash && $0 != UInt8(ascii: "\\") }
  }
}
