import JSON
import Tensors

/// A golden bundle: a folder with a trace, its clip, and a manifest that holds the SHA-256 of each file and says how they
/// were made (`tools/record_golden.py`, `schemas/benben-bundle.schema.json`).
public struct GoldenBundle {
  /// A file of the bundle.
  private struct File {
    let path: String
    let bytes: Int
    let sha256: String
  }

  private static let schema = "benben.bundle/1"
  private static let manifest = "manifest.json"
  /// Far more than any manifest needs.
  private static let longestManifest = 16 << 20
  private static let trace = "golden.h5"

  /// The folder.
  public let path: String
  private let files: [File]

  /// What lists its files.
  var manifestPath: String { path + "/" + Self.manifest }

  /// The trace of the run.
  public var tracePath: String { path + "/" + Self.trace }

  /// Reads the manifest; ``requireSound()`` reads the files.
  ///
  /// - Returns: nil when the folder holds no manifest of a bundle.
  public init?(folder: String) throws {
    let manifestPath = folder + "/" + Self.manifest
    guard let bytes = try? SourceFile.contents(of: manifestPath, limit: Self.longestManifest) else {
      return nil
    }
    guard let manifest = try? JSONValue(parsing: bytes), manifest["schema"]?.string == Self.schema else {
      return nil
    }
    func fault(_ why: String) -> BenbenError {
      BenbenError(.malformed, "malformed golden bundle", at: manifestPath, because: why)
    }
    guard let rows = manifest["files"]?.array else { throw fault("it lists no files") }
    path = folder
    files = try rows.map { row in
      guard let path = row["path"]?.string, let bytes = row["bytes"]?.integer,
        let hash = row["sha256"]?.string
      else { throw fault("a file lacks a field") }
      guard RelativePath.staysInside(path) else { throw fault("a path leaves the bundle") }
      return File(path: path, bytes: bytes, sha256: hash)
    }
    guard files.contains(where: { $0.path == Self.trace }) else { throw fault("\(Self.trace) is not listed") }
  }

  /// Hashes every file.
  ///
  /// - Throws: ``BenbenError`` that names the first file that is missing or is another one than the manifest lists.
  public func requireSound() throws {
    for file in files {
      let source = try SourceFile(path: path + "/" + file.path)
      guard source.size == file.bytes, try source.sha256() == file.sha256 else {
        throw BenbenError(
          .malformed, "the golden bundle is damaged", at: source.path,
          because: "it is another file than \(Self.manifest) lists",
          remedies: ["Get the bundle again; what it says cannot be trusted."])
      }
    }
  }
}
