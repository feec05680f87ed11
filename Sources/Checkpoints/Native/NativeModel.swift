import Files
import Foundation
import JSON
import Tensors

/// A native model: a folder with `manifest.json`, one `.benben` file per component, and the tokenizers' files.
package struct NativeModel: Sendable {
  /// The folder.
  package let path: String
  /// The manifest as stored in the file.
  package let manifest: JSONValue
  /// The family, such as `miniflux`.
  package let family: String
  private let components: [Listed]
  private let files: [Listed]

  /// A file that the manifest lists.
  private struct Listed: Sendable {
    let name: String
    let path: String
    let bytes: Int
    let sha256: String
  }

  /// Returns whether a path looks like a native model.
  package static func isModel(_ path: String) -> Bool {
    FileSystem.exists(path + "/" + Manifest.fileName)
  }

  /// Reads the manifest; components are opened on demand.
  package init(path: String) throws {
    guard FileSystem.exists(path) else {
      throw BenbenError(.missing, "cannot open the model", at: path, because: "there is no such folder")
    }
    guard Self.isModel(path) else {
      throw BenbenError(
        .missing, "not a native model", at: path, because: "it holds no manifest.json",
        code: .notANativeModel)
    }
    let manifestPath = path + "/" + Manifest.fileName
    let manifest = try parseJSON(manifestPath, limit: Manifest.maximumLength)
    guard manifest["schema"]?.string == Manifest.schema else {
      throw malformed(
        "not a manifest of this version", manifestPath,
        "its schema is \(manifest["schema"]?.canonicalText ?? "absent"), not \(Manifest.schema)")
    }
    guard let family = manifest["family"]?.string, let components = manifest["components"]?.array,
      let files = manifest["files"]?.array
    else { throw malformed("malformed manifest", manifestPath, "family, components or files is missing") }
    self.path = path
    self.manifest = manifest
    self.family = family
    self.components = try components.map {
      try Self.listed($0, name: "name", path: "file", hash: "headerSha256", manifestPath)
    }
    self.files = try files.map {
      try Self.listed($0, name: "path", path: "path", hash: "sha256", manifestPath)
    }
    let names = self.components.map(\.name)
    let paths = (self.components + self.files).map(\.path)
    guard Set(names).count == names.count, Set(paths).count == paths.count else {
      throw malformed("malformed manifest", manifestPath, "a component or file is listed twice")
    }
  }

  /// Returns whether a folder holds a native model and no other entry, so that replacing it loses nothing else.
  ///
  /// Only the top level of the folder is compared with the manifest.
  static func isNothingElse(_ folder: String) -> Bool {
    guard let model = try? NativeModel(path: folder) else { return false }
    return FileSystem.entries(of: folder).allSatisfy(model.topLevelEntries.contains)
  }

  /// The names of the entries directly in the model's folder.
  var topLevelEntries: Set<String> {
    let paths = (components + files).map(\.path) + [Manifest.fileName]
    return Set(paths.compactMap { $0.split(separator: "/").first.map(String.init) })
  }

  /// Throws when a file of the model is missing, has another size than listed, or is a link out of the model.
  private func requireOwn(_ listed: Listed) throws {
    let file = path + "/" + listed.path
    try CheckpointFolder(path: path).requireInside(file)
    let size = try InputFile(path: file).size
    guard size == listed.bytes else {
      throw malformed(
        "a file of the model has another size", file, "\(size) bytes, \(listed.bytes) are listed")
    }
  }

  private static func listed(
    _ row: JSONValue, name: String, path: String, hash: String, _ manifestPath: String
  ) throws -> Listed {
    guard let name = row[name]?.string, let path = row[path]?.string, let hash = row[hash]?.string,
      let bytes = row["bytes"]?.integer
    else { throw malformed("malformed manifest", manifestPath, "a component or file lacks a field") }
    guard RelativePath.staysInside(path) else {
      throw malformed("malformed manifest", manifestPath, "\(quoted(path)) is not a path inside the model")
    }
    return Listed(name: name, path: path, bytes: bytes, sha256: hash)
  }

  /// The names of the components, with the sizes of their files in bytes.
  package var componentSizes: [(name: String, bytes: Int)] { components.map { ($0.name, $0.bytes) } }

  /// The size of its component and auxiliary files, in bytes.
  package var byteCount: Int { (components + files).reduce(0) { $0 + $1.bytes } }

  /// The paths of all files inside the model's folder: the manifest, the components, and the auxiliary files.
  var filePaths: [String] { [Manifest.fileName] + (components + files).map(\.path) }

  /// The names of all components, in the order of the release.
  package var componentNames: [String] { components.map(\.name) }

  /// The paths of the auxiliary files inside the model.
  package var auxiliaryFileNames: [String] { files.map(\.path) }

  /// The least precise type among the tensors that were rounded; nil when none was.
  ///
  /// A tensor counts as rounded when the manifest records an error for it, or when it is stored in 8 bits.
  package var coarsestLossyType: WeightType? {
    // 8-bit weights are the result of rounding, even where this model only copied them.
    (manifest["tensors"]?.array ?? []).filter {
      $0["maxAbsError"]?.double ?? 0 > 0 || $0["type"]?.string == WeightType.int8.rawValue
    }
    .compactMap { $0["type"]?.string.flatMap(WeightType.init(rawValue:)) }
    .min { $0.precision < $1.precision }
  }

  /// Whether products with some of its weights round their inputs to bf16.
  package var computesInBFloat16: Bool {
    (manifest["tensors"]?.array ?? []).contains {
      $0["activations"]?.string == InputPrecision.bf16.rawValue
    }
  }

  /// Opens a component and verifies that it is the one that the manifest lists.
  package func component(_ name: String) throws -> NativeComponent {
    guard let listed = components.first(where: { $0.name == name }) else {
      throw BenbenError(
        .missing, "the model has no component \(quoted(name))", at: path,
        because: "it holds \(componentNames.joined(separator: ", "))")
    }
    try requireOwn(listed)
    let component = try NativeComponent(path: path + "/" + listed.path)
    guard component.identity == listed.sha256 else {
      throw malformed(
        "the component is not the model's own", component.path, "the manifest lists another hash")
    }
    return component
  }

  /// Opens a component as the source of another conversion.
  package func sourceComponent(_ name: String) throws -> SourceComponent {
    let component = try component(name)
    return SourceComponent(name: name, config: component.config, weights: try component.weightFiles())
  }

  /// Reads an auxiliary file and verifies its hash; returns nil when the model has none of that name.
  package func auxiliaryFile(_ file: String) throws -> [UInt8]? {
    guard let listed = files.first(where: { $0.path == file }) else { return nil }
    try requireOwn(listed)
    let bytes = try InputFile.contents(of: path + "/" + file, limit: CheckpointFolder.maximumAuxiliaryLength)
    guard Digest.sha256(bytes) == listed.sha256 else {
      throw malformed(
        "a file of the model is damaged", path + "/" + file, "its SHA-256 is not the manifest's")
    }
    return bytes
  }

  /// Checks every hash and invariant of the model.
  ///
  /// - Parameter progress: called with a component's file and the number of bytes just checked; an error that it throws
  ///   ends the check.
  package func integrityIssues(
    progress: (_ file: String, _ bytes: Int) throws -> Void = { _, _ in }
  ) rethrows -> [IntegrityIssue] {
    var found: [IntegrityIssue] = []
    for listed in components {
      switch Result(catching: { try component(listed.name) }) {
      case .success(let component): found += try component.integrityIssues { try progress(listed.path, $0) }
      case .failure(let error):
        found.append(IntegrityIssue(file: path + "/" + listed.path, tensor: nil, why: Self.reason(error)))
      }
    }
    for listed in files {
      if case .failure(let error) = Result(catching: { try auxiliaryFile(listed.path) }) {
        found.append(IntegrityIssue(file: path + "/" + listed.path, tensor: nil, why: Self.reason(error)))
      }
    }
    return found
  }

  private static func reason(_ error: any Error) -> String {
    (error as? BenbenError).map { "\($0.what): \($0.why)" } ?? "\(error)"
  }
}
