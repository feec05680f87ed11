import Files
import JSON
import Tensors

/// A golden bundle: a folder with a trace, its clip, and a manifest that holds the SHA-256 of each file and states how
/// they were made (`tools/record_golden.py`, `schemas/benben-bundle.schema.json`).
public struct GoldenBundle: Sendable {
  /// A file of the bundle.
  private struct File: Sendable {
    let path: String
    let bytes: Int
    let sha256: String
  }

  private static let schema = "benben.bundle/1"
  private static let manifest = "manifest.json"
  /// The largest manifest that is read, in bytes; far more than any needs.
  private static let maximumManifest = 16 << 20
  private static let trace = "golden.h5"

  /// The folder.
  public let path: String
  private let files: [File]
  /// The SHA-256 of the files that the official implementation read, by component.
  private let checkpoint: [String: Set<String>]
  /// The recording details from the bundle's manifest: level, device, versions, commit.
  package let provenance: JSONValue

  /// The path of the manifest, which lists the files.
  var manifestPath: String { path + "/" + Self.manifest }

  /// The path of the run's trace.
  public var tracePath: String { path + "/" + Self.trace }

  /// Reads the manifest; ``requireSound()`` reads the files.
  ///
  /// - Returns: nil when the folder holds no manifest of a bundle.
  public init?(folder: String) throws {
    let manifestPath = folder + "/" + Self.manifest
    guard let bytes = try? InputFile.contents(of: manifestPath, limit: Self.maximumManifest) else {
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
    guard Set(files.map(\.path)).count == files.count else { throw fault("a file is listed twice") }
    guard files.contains(where: { $0.path == Self.trace }) else { throw fault("\(Self.trace) is not listed") }
    let given = (manifest["checkpoint"]?.array ?? []).compactMap { row -> (String, String)? in
      guard let path = row["path"]?.string, let hash = row["sha256"]?.string else { return nil }
      return (String(path.prefix { $0 != "/" }), hash)
    }
    checkpoint = Dictionary(grouping: given) { $0.0 }.mapValues { Set($0.map(\.1)) }
    provenance = .object(
      Dictionary(
        uniqueKeysWithValues: ["level", "device", "versions", "official"].compactMap { key in
          manifest[key].map { (key, $0) }
        }))
  }

  /// Checks the size and SHA-256 of every file.
  ///
  /// - Throws: ``BenbenError`` that names the first file that is missing or differs from the manifest.
  public func requireSound() throws {
    for file in files {
      let source = try InputFile(path: path + "/" + file.path)
      guard source.size == file.bytes, try source.sha256() == file.sha256 else {
        throw damaged(source.path)
      }
    }
  }

  /// Throws when the trace that was opened, which has a SHA-256, is not the one that the manifest lists.
  package func requireTrace(sha256: String) throws {
    guard files.contains(where: { $0.path == Self.trace && $0.sha256 == sha256 }) else {
      throw damaged(tracePath)
    }
  }

  private func damaged(_ path: String) -> BenbenError {
    BenbenError(
      .malformed, "the golden bundle is damaged", at: path,
      because: "it is another file than \(Self.manifest) lists",
      remedies: ["Get the bundle again; what it says cannot be trusted."])
  }

  /// Returns the components of a model that were not made from the very files that the golden was recorded with; nil
  /// when it cannot be told for all of them, and none is known to be of other files.
  ///
  /// The weights may still be equal: the same weights come in files of several formats.
  ///
  /// - Parameter source: the model's source files by component, as its manifest lists them.
  package func componentsOfOtherFiles(_ source: [String: JSONValue]) -> [String]? {
    var others: [String] = []
    var isKnown = !source.isEmpty
    for component in source.keys.sorted() {
      let hashes = (source[component]?.array ?? []).compactMap { $0["sha256"]?.string }
      if let given = checkpoint[component], !hashes.isEmpty {
        if !given.isSuperset(of: hashes) { others.append(component) }
      } else {
        isKnown = false
      }
    }
    return others.isEmpty && !isKnown ? nil : others
  }
}
