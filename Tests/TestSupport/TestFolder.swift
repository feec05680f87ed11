import Files
import Foundation

/// A folder that is removed when the test ends.
public final class TestFolder: Sendable {
  /// The folder.
  public let path: String

  /// Creates a folder.
  public init() throws {
    path = NSTemporaryDirectory() + "benben-tests-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file, with the folders that it lies in, and gives its path.
  public func write(_ bytes: [UInt8], _ name: String) throws -> String {
    let file = path + "/" + name
    try FileManager.default.createDirectory(
      atPath: FileSystem.parent(of: file), withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  /// The names of everything in it, sorted.
  public var entries: [String] { FileSystem.entries(of: path) }

  /// A file in a folder of its own, which is there as long as what is returned.
  public static func scratch(_ bytes: [UInt8]) throws -> (folder: TestFolder, file: String) {
    let folder = try TestFolder()
    return (folder, try folder.write(bytes, "x.safetensors"))
  }
}
