import Files
import Foundation
import JSON
import Tensors

/// A released checkpoint: a folder with one sub-folder per component, laid out like the official repositories.
package struct CheckpointFolder {
  /// A small file that is copied byte for byte.
  package struct AuxiliaryFile {
    /// The path inside the checkpoint, with `/` between components.
    package let path: String
    /// The whole content of the file.
    package let contents: [UInt8]

    /// Creates a file with the given content.
    package init(path: String, contents: [UInt8]) {
      self.path = path
      self.contents = contents
    }
  }

  /// The path of the folder as passed to the initialiser, less a trailing slash.
  package let path: String
  /// The place from which a missing file can be downloaded, for messages.
  package var source = "the repository that the checkpoint is from"
  /// The real paths below which all files must lie.
  private let allowedRoots: [String]

  /// The maximum size of a config file in bytes; released ones are a few kilobytes.
  static let maximumConfigLength = 1_000_000
  /// The maximum size of an auxiliary file in bytes; a tokenizer's largest, the full CLIP vocabulary, is one megabyte.
  static let maximumAuxiliaryLength = 64_000_000

  /// Opens a folder without reading its contents.
  package init(path: String) throws {
    self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard FileSystem.exists(path) else {
      try HubCache.requireDownloaded(path)
      throw BenbenError(.missing, "cannot open", at: path, because: "there is no such file or folder")
    }
    guard FileSystem.isFolder(path) else {
      throw BenbenError(
        .malformed, "not a checkpoint", at: path, because: "it is not a folder",
        remedies: [
          "Give the folder that holds causal_video_vae, text_encoder, … and a diffusion_transformer_*."
        ])
    }
    try FileSystem.requireReadable(folder: path)
    let root = FileSystem.realPath(path)
    // The hub's cache keeps each file of a snapshot as a link into the repository's `blobs`.
    let parts = root.split(separator: "/").map(String.init)
    // A snapshot that is itself a component has the folder of all snapshots for its parent.
    if let snapshots = parts.suffix(3).lastIndex(of: "snapshots"), snapshots > 1 {
      allowedRoots = [root, "/" + parts[..<snapshots].joined(separator: "/") + "/blobs"]
    } else {
      allowedRoots = [root]
    }
  }

  /// The names of the sub-folders, sorted.
  package var subfolders: [String] {
    FileSystem.folders(in: path)
  }

  /// Opens one component's config and weights.
  ///
  /// Files are looked for under their official names first, then by content, so that a renamed file is found.
  ///
  /// - Throws: ``BenbenError`` that names the file that is missing or malformed.
  package func component(_ name: String) throws -> SourceComponent {
    let folder = path + "/" + name
    guard FileSystem.isFolder(folder) else { throw missing(name) }
    try FileSystem.requireReadable(folder: folder)
    let files = ComponentFiles(folder: folder)
    guard let configFile = try files.config(in: self) else { throw missing(name + "/config.json") }
    let config = try parseJSON(configFile, limit: Self.maximumConfigLength)
    let index = try files.index(in: self)
    let weights = try weights(files, index: index, name: name)
    var component = SourceComponent(name: name, config: config, weights: weights, folder: name)
    component.configPath = configFile.path
    component.unread = files.unread(opened: weights.files + [index].compactMap(\.self))
    return component
  }

  /// Opens the weights of one component without its config.
  package func weights(of name: String) throws -> WeightFiles {
    let files = ComponentFiles(folder: path + "/" + name)
    return try weights(files, index: files.index(in: self), name: name)
  }

  private func weights(_ files: ComponentFiles, index: InputFile?, name: String) throws -> WeightFiles {
    if let index { return try ShardedIndex.open(index, in: self) }
    if let single = try files.weights(in: self) { return try WeightFiles.open(single) }
    let official = ComponentFiles.officialWeights(of: name)
    if files.shards.isEmpty {
      throw missing(name, because: "neither \(official[0]) nor \(official[1]) is there")
    }
    if let part = files.shards.first(where: { $0.lowercased().hasSuffix(".gguf") }) {
      throw GGUF.partOfSplit("\(path)/\(name)/\(part)", "it is one of \(files.shards.count)")
    }
    throw missing(
      name + "/" + official[0] + ".index.json",
      because: "the index of \(files.shards.count) shards is not there")
  }

  /// Reads an auxiliary file, found by its name or, failing that, by content among the files of its folder.
  ///
  /// - Parameters:
  ///   - file: the path inside the checkpoint.
  ///   - officialNames: the official names of the folder's files; files with these names are not searched by content.
  ///   - matches: returns whether the content is that of the file.
  package func auxiliaryFile(
    _ file: String, officialNames: [String], matches: ([UInt8]) -> Bool
  ) throws -> AuxiliaryFile {
    let full = path + "/" + file
    if FileSystem.exists(full) {
      let input = try open(full)
      try Impostor.refuse(input)
      return AuxiliaryFile(path: file, contents: try input.contents(limit: Self.maximumAuxiliaryLength))
    }
    let folder = FileSystem.parent(of: full)
    try FileSystem.requireReadable(folder: folder)
    for name in FileSystem.files(in: folder) where !officialNames.contains(name) {
      let input = try open(folder + "/" + name)
      guard input.size <= Self.maximumAuxiliaryLength else { continue }
      let contents = try input.contents(limit: Self.maximumAuxiliaryLength)
      if matches(contents) { return AuxiliaryFile(path: file, contents: contents) }
    }
    throw missing(file)
  }

  /// Reads the `config.json` beside a weights file or inside a folder of weights; returns nil when there is none.
  package static func configBeside(_ path: String) throws -> JSONValue? {
    let config = pathOfConfig(beside: path)
    // Spelt out: `nil` would be JSON's null.
    return FileSystem.exists(config)
      ? .some(try parseJSON(InputFile(path: config), limit: maximumConfigLength)) : .none
  }

  /// Returns where the `config.json` of a weights file or a folder of weights would stand.
  package static func pathOfConfig(beside path: String) -> String {
    (FileSystem.isFolder(path) ? path + "/" : path.lastIndex(of: "/").map { String(path[...$0]) } ?? "")
      + "config.json"
  }

  /// Returns the error for a missing file of the release.
  private func missing(_ file: String, because why: String = "it is not there") -> BenbenError {
    BenbenError(
      .missing, "the checkpoint is not complete", at: path + "/" + file, because: why,
      remedies: ["Download \(file) from \(source)."])
  }

  /// Opens a file of the checkpoint.
  ///
  /// - Throws: ``BenbenError`` when it leads out of the checkpoint through links, which the open file itself is asked: a
  ///   link that is put there meanwhile leads nowhere else.
  func open(_ path: String) throws -> InputFile {
    let file = try InputFile(path: path)
    let real = file.realPath
    guard allowedRoots.contains(where: { real == $0 || real.hasPrefix($0 == "/" ? $0 : $0 + "/") }) else {
      throw malformed("a link leads out of the checkpoint", path, "it points to \(real)")
    }
    return file
  }
}
