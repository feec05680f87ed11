import Foundation
import JSON
import Tensors

/// A released checkpoint: a folder with one sub-folder per component, as the official repositories are laid out.
public struct CheckpointFolder {
  /// One component: its config and its weights.
  public struct Component {
    /// The sub-folder's name, which is the component's official name.
    public let name: String
    /// `config.json`.
    public let config: JSONValue
    /// The opened weights.
    public let weights: WeightFiles
  }

  /// A small file that is carried along byte for byte.
  public struct CarriedFile {
    /// The path inside the checkpoint, `/` between components.
    public let path: String
    /// Its whole content.
    public let contents: [UInt8]
  }

  /// The folder, as it was given.
  public let path: String
  /// Files may lie below these real paths and nowhere else.
  private let allowedRoots: [String]

  /// The config files that are read are a few kilobytes.
  static let maximumConfigLength = 1_000_000
  /// A tokenizer's largest file, the full CLIP vocabulary, is one megabyte.
  static let maximumCarriedLength = 64_000_000

  /// Opens a folder without looking into it.
  public init(path: String) throws {
    self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    guard Self.exists(path) else {
      throw BenbenError(.missing, "cannot open", at: path, because: "there is no such file or folder")
    }
    guard Self.isFolder(path) else {
      throw BenbenError(
        .malformed, "not a checkpoint", at: path, because: "it is not a folder",
        remedies: [
          "Give the folder that holds causal_video_vae, text_encoder, … and a diffusion_transformer_*."
        ])
    }
    let root = Self.realPath(path)
    // The hub's cache keeps each file of a snapshot as a link into the repository's `blobs`.
    let parts = root.split(separator: "/").map(String.init)
    if parts.count > 2, parts[parts.count - 2] == "snapshots" {
      allowedRoots = [root, "/" + parts.dropLast(2).joined(separator: "/") + "/blobs"]
    } else {
      allowedRoots = [root]
    }
  }

  /// The names of the sub-folders, sorted.
  public var subfolders: [String] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return entries.filter { Self.isFolder(path + "/" + $0) }.sorted {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }
  }

  /// Opens one component's config and weights.
  ///
  /// - Throws: ``BenbenError`` that names the file that is missing or malformed.
  public func component(_ name: String) throws -> Component {
    let folder = path + "/" + name
    try requirePresent(folder, name: name)
    let configPath = folder + "/config.json"
    try requirePresent(configPath, name: name)
    let config = try parseJSON(configPath, limit: Self.maximumConfigLength)
    let stems = ["diffusion_pytorch_model", "model"]
    for stem in stems {
      let single = folder + "/" + stem + ".safetensors"
      if Self.exists(single) {
        try requireInside(single)
        return Component(name: name, config: config, weights: try Safetensors.open(single))
      }
      let index = single + ".index.json"
      if Self.exists(index) {
        try requireInside(index)
        return Component(name: name, config: config, weights: try ShardedIndex.open(index, in: self))
      }
    }
    let others = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    throw BenbenError(
      .missing, "no weights", at: folder,
      because: "none of \(stems.map { $0 + ".safetensors[.index.json]" }.joined(separator: ", ")) is there",
      remedies: [
        others.isEmpty ? "The folder is empty." : "It holds: " + others.joined(separator: ", ") + "."
      ])
  }

  /// Reads a file that is carried along.
  public func carriedFile(_ file: String, required: Bool) throws -> CarriedFile? {
    let full = path + "/" + file
    if !Self.exists(full) && !required { return nil }
    try requirePresent(full, name: file)
    return CarriedFile(
      path: file, contents: try SourceFile.contents(of: full, limit: Self.maximumCarriedLength))
  }

  private func requirePresent(_ path: String, name: String) throws {
    guard Self.exists(path) else {
      throw BenbenError(
        .missing, "the checkpoint is not complete", at: path, because: "it is not there",
        remedies: ["Every release on the hub carries it: download `\(name)` again."])
    }
    try requireInside(path)
  }

  /// Throws when a path leads, through links, out of the checkpoint.
  func requireInside(_ path: String) throws {
    let real = Self.realPath(path)
    guard allowedRoots.contains(where: { real == $0 || real.hasPrefix($0 + "/") }) else {
      throw malformed("a link leads out of the checkpoint", path, "it points to \(real)")
    }
  }

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  static func isFolder(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }

  private static func realPath(_ path: String) -> String {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  }
}
