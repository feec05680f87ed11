import Foundation

/// A folder for intermediate files, removed with its contents when the object is deinitialised.
package final class TemporaryFolder {
  /// The path of the folder.
  package let path: String

  /// The system's folder for temporary files.
  static var root: String { FileManager.default.temporaryDirectory.path }

  /// Creates a folder with a unique name, which others cannot read.
  ///
  /// - Parameter sibling: a path on the disk to use, such as that of an output; nil for the system's temporary folder.
  /// - Throws: ``BenbenError`` when it cannot be created.
  package init(beside sibling: String? = nil) throws {
    let name = "benben-" + UUID().uuidString
    path = sibling.map { FileSystem.parent(of: $0) + "/." + name } ?? NSTemporaryDirectory() + name
    do { try FileSystem.makeFolder(path, permissions: 0o700) } catch let error as BenbenError {
      throw sibling == nil ? error.with(remedies: ["Set TMPDIR to a folder that can be written."]) : error
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
