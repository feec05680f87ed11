/// Checks of relative paths that were read from files.
package enum RelativePath {
  /// Returns whether a path stays inside the folder that it is relative to.
  package static func staysInside(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return !path.contains("\\") && !path.unicodeScalars.contains("\0")
      && parts.allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
  }
}
