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
  private let manifestBytes: [UInt8]
  /// The components by their names, and all that is listed by its path.
  private let componentByName: [String: Listed], listedByPath: [String: Listed]

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
      try HubCache.requireDownloaded(path)
      throw BenbenError(.missing, "cannot open the model", at: path, because: "there is no such folder")
    }
    try FileSystem.requireReadable(folder: path)
    guard Self.isModel(path) else {
      if !FileSystem.isFolder(path) {
        throw BenbenError(
          .malformed, "not a native model", at: path,
          because: "it is a file; a model is a folder with a manifest.json",
          remedies: ["Unpack it first if it is a pack; name the folder above if it is a component."])
      }
      throw BenbenError(
        .missing, "not a native model", at: path, because: "it holds no manifest.json",
        remedies: HubCache.remedies(on: path), code: .notANativeModel)
    }
    let manifestPath = path + "/" + Manifest.fileName
    manifestBytes = try InputFile.contents(of: manifestPath, limit: Manifest.maximumLength)
    let manifest = try parseJSON(manifestBytes, of: manifestPath)
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
    let all = self.components + self.files
    componentByName = Dictionary(self.components.map { ($0.name, $0) }) { first, _ in first }
    listedByPath = Dictionary(all.map { ($0.path, $0) }) { first, _ in first }
    guard componentByName.count == self.components.count, listedByPath.count == all.count else {
      throw malformed("malformed manifest", manifestPath, "a component or file is listed twice")
    }
  }

  /// Returns whether a folder holds a native model and no other file, so that replacing it loses nothing else.
  ///
  /// - Throws: ``BenbenError`` when it cannot be read at the moment.
  static func isNothingElse(_ folder: String) throws -> Bool {
    let model: NativeModel
    do { model = try NativeModel(path: folder) } catch let error as BenbenError {
      guard error.kind == .inputOutput else { return false }
      throw error
    }
    return Set(FileSystem.filesBelow(folder).filter { !isEvidence($0) }).isSubset(of: model.filePaths)
  }

  /// The folder inside a model's that holds what a publisher says of it: reports and a card.
  static let evidencePrefix = "evidence/"

  /// Returns whether a path inside the model's folder is that of evidence.
  static func isEvidence(_ path: String) -> Bool {
    path.hasPrefix(evidencePrefix)
      && [".json", ".html", ".md"].contains { path.hasSuffix($0) && path.split(separator: "/").count == 2 }
  }

  /// The paths of the evidence that lies beside the model, sorted.
  package var evidence: [String] {
    FileSystem.filesBelow(path).filter(Self.isEvidence).sorted().map { path + "/" + $0 }
  }

  /// What lies in the folder without being of the model or of its evidence, in a sentence; nil when nothing does.
  package var remarkOnOthers: String? {
    let own = Set(filePaths)
    let others = FileSystem.filesBelow(path).filter { !own.contains($0) && !Self.isEvidence($0) }.sorted()
    guard !others.isEmpty else { return nil }
    let names = others.prefix(5).map(\.printable).joined(separator: ", ") + (others.count > 5 ? ", …" : "")
    return "\(names) \(others.count == 1 ? "is" : "are") no part of the model, and left out"
  }

  /// Throws when the manifest is damaged; one of a version before 0.2.0 has no hash of its own.
  package func requireSoundManifest() throws {
    if let why = Manifest.damage(manifestBytes, manifest) {
      throw malformed(
        "the manifest is damaged", path + "/" + Manifest.fileName, why, "Copy or convert the model again.")
    }
  }

  /// Opens a file of the model.
  ///
  /// - Throws: ``BenbenError`` when it is missing, has another size than listed, or is a link out of the model.
  private func open(_ listed: Listed) throws -> InputFile {
    let file = try CheckpointFolder(path: path).open(path + "/" + listed.path)
    guard file.size == listed.bytes else {
      throw malformed(
        "a file of the model has another size", file.path, "\(file.size) bytes, \(listed.bytes) are listed")
    }
    return file
  }

  /// Opens one of the files of the model, which must lie in it.
  func open(_ file: String) throws -> InputFile {
    if let listed = listedByPath[file] { return try open(listed) }
    return try CheckpointFolder(path: path).open(path + "/" + file)
  }

  /// Throws when a hash is not the one that an auxiliary file must have.
  func requireHash(_ sha256: String, of file: String) throws {
    guard let listed = listedByPath[file], !file.hasSuffix(".benben"), listed.sha256 != sha256 else { return }
    throw malformed(
      "a file of the model is damaged", path + "/" + file, "its SHA-256 is not the manifest's")
  }

  private static func listed(
    _ row: JSONValue, name: String, path: String, hash: String, _ manifestPath: String
  ) throws -> Listed {
    guard let name = row[name]?.string, let path = row[path]?.string, let hash = row[hash]?.string,
      let bytes = row["bytes"]?.integer
    else { throw malformed("malformed manifest", manifestPath, "a component or file lacks a field") }
    guard 0...(1 << 47) ~= bytes, RelativePath.isPlain(name) else {
      throw malformed(
        "malformed manifest", manifestPath, "\(quoted(name)) is no name, or \(bytes) bytes are no size")
    }
    guard RelativePath.isPlain(path) else {
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
  /// The components' headers say so, whose hashes are checked; 8-bit weights are rounded ones, even where this model
  /// only copied them.
  package func coarsestLossyType() throws -> WeightType? {
    try componentNames.flatMap { try component($0).roundedTypes }.min { $0.precision < $1.precision }
  }

  /// Returns whether products with some of its weights round their inputs to bf16.
  package func computesInBFloat16() throws -> Bool {
    try componentNames.contains { try component($0).computesInBFloat16 }
  }

  /// Opens a component and verifies that it is the one that the manifest lists.
  package func component(_ name: String) throws -> NativeComponent {
    guard let listed = componentByName[name] else {
      throw BenbenError(
        .missing, "the model has no component \(quoted(name))", at: path,
        because: "it holds \(componentNames.joined(separator: ", "))",
        remedies: ["Convert it together with the others, from one release."])
    }
    let component = try NativeComponent(open(listed))
    guard component.identity == listed.sha256 else {
      throw malformed(
        "the component is not the model's own", component.path, "the manifest lists another hash")
    }
    guard component.name == name else {
      throw malformed(
        "the component is not the model's own", component.path,
        "it is \(quoted(component.name)), the manifest calls it \(quoted(name))")
    }
    return component
  }

  /// Opens a component as the source of another conversion.
  package func sourceComponent(_ name: String) throws -> SourceComponent {
    try requireSoundManifest()
    let component = try component(name)
    return SourceComponent(name: name, config: component.config, weights: component.weightFiles())
  }

  /// Reads an auxiliary file and verifies its hash; returns nil when the model has none of that name.
  package func auxiliaryFile(_ file: String) throws -> [UInt8]? {
    guard let listed = listedByPath[file] else { return nil }
    let bytes = try open(listed).contents(limit: CheckpointFolder.maximumAuxiliaryLength)
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
  ) throws -> [IntegrityIssue] {
    var found: [IntegrityIssue] = []
    func blameManifest(_ why: String) {
      found.append(IntegrityIssue(file: path + "/" + Manifest.fileName, tensor: nil, why: why))
    }
    if let why = Manifest.damage(manifestBytes, manifest) { blameManifest(why) }
    let rows = manifest["tensors"]?.array ?? []
    let described = Dictionary(grouping: rows) { $0["component"]?.string ?? "" }.mapValues {
      $0.map(Self.description)
    }
    var total: Int? = 0
    for listed in components {
      switch Result(catching: { try component(listed.name) }) {
      case .success(let component):
        total? += component.byteCount
        found += try component.integrityIssues { try progress(listed.path, $0) }
        if Set(described[listed.name] ?? [])
          != Set(component.tensors.map { [$0.name, $0.type.rawValue, $0.shape.text] })
        {
          blameManifest("it does not list the tensors that \(listed.path) holds")
        }
      case .failure(let error):
        total = nil
        found.append(try issue(error, in: listed.path))
      }
    }
    if let total, manifest["bytes"]?.integer != total {
      blameManifest("its tensors take \(total) bytes, and not what it says")
    }
    for listed in files {
      if case .failure(let error) = Result(catching: { try auxiliaryFile(listed.path) }) {
        found.append(try issue(error, in: listed.path))
      }
    }
    return found
  }

  /// What a manifest must say of a tensor as its file does.
  private static func description(_ row: JSONValue) -> [String] {
    [row["name"]?.string ?? "", row["type"]?.string ?? "", row["shape"]?.integers?.text ?? ""]
  }

  /// Returns the damage that an error tells of; throws the error where it is the machine that fails, or a file that is there
  /// may not be read.
  private func issue(_ error: any Error, in file: String) throws -> IntegrityIssue {
    let file = path + "/" + file
    if !FileSystem.exists(file) { try FileSystem.requireReadable(folder: FileSystem.parent(of: file)) }
    guard let error = error as? BenbenError, error.kind != .inputOutput,
      error.kind != .missing || !FileSystem.exists(file)
    else { throw error }
    return IntegrityIssue(file: file, tensor: nil, why: "\(error.what): \(error.why)")
  }
}
