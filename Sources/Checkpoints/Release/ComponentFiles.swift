import Files
import JSON
import Tensors

/// The files of a component's folder, identified by their official names or, failing that, by their content.
struct ComponentFiles {
  private let folder: String
  private let names: [String]

  /// The official names of weights in a single file, in order of preference.
  private static let singleNames = ["diffusion_pytorch_model", "model", "pytorch_model"].flatMap {
    [$0 + ".safetensors", $0 + ".bin"]
  }

  init(folder: String) {
    self.folder = folder
    names = FileSystem.files(in: folder)
  }

  /// Returns the official names of a component's weights, as safetensors and as a PyTorch archive.
  ///
  /// These are the names given by the libraries that made the releases.
  static func officialWeights(of component: String) -> [String] {
    component.hasPrefix("text_encoder")
      ? ["model.safetensors", "pytorch_model.bin"]
      : ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"]
  }

  /// The files whose names mark them as shards, `…-00001-of-00003.…`.
  var shards: [String] { names.filter { $0.contains(/-\d{5}-of-\d{5}\./) } }

  private func official(_ candidates: [String], in checkpoint: CheckpointFolder) throws -> InputFile? {
    try candidates.first(where: names.contains).map { try checkpoint.open(folder + "/" + $0) }
  }

  /// Opens the component's config; nil when there is none.
  func config(in checkpoint: CheckpointFolder) throws -> InputFile? {
    if let named = try official(["config.json"], in: checkpoint) { return named }
    return try json(in: checkpoint) { $0["_class_name"] != nil || $0["architectures"] != nil }
  }

  /// Opens the index of sharded weights; nil when there is none.
  func index(in checkpoint: CheckpointFolder) throws -> InputFile? {
    // In a folder with both, a single file takes precedence over an index of the same or a later name.
    for name in Self.singleNames {
      if names.contains(name) { return nil }
      if let named = try official([name + ".index.json"], in: checkpoint) { return named }
    }
    return try json(in: checkpoint) { $0["weight_map"] != nil }
  }

  /// Opens the single weights file; nil when there is none.
  func weights(in checkpoint: CheckpointFolder) throws -> InputFile? {
    if let named = try official(Self.singleNames, in: checkpoint) { return named }
    if !shards.isEmpty { return nil }
    let candidates = try names.map { try checkpoint.open(folder + "/" + $0) }.filter { file in
      WeightFiles.looksLikeWeights(try file.bytes(at: 0, count: min(file.size, 9)))
    }
    guard candidates.count <= 1 else {
      throw malformed(
        "several files of weights", folder,
        candidates.map { quoted(FileSystem.lastComponent($0.path)) }.joined(separator: ", "),
        "Keep the one that is meant, or give it its official name.")
    }
    return candidates.first
  }

  /// Returns the files of weights and indices of shards that are there and were not opened.
  func unread(opened: [InputFile]) -> [String] {
    let read = Set(opened.map { FileSystem.lastComponent($0.path) })
    return names.filter {
      !read.contains($0) && (WeightFiles.isNamedLikeOne($0) || $0.hasSuffix(".index.json"))
    }
  }

  private func json(in checkpoint: CheckpointFolder, where matches: (JSONValue) -> Bool) throws -> InputFile?
  {
    for name in names where name != "config.json" {
      let file = try checkpoint.open(folder + "/" + name)
      guard file.size <= ShardedIndex.maximumLength,
        try file.bytes(at: 0, count: min(file.size, 1)) == [0x7B],
        let json = try? parseJSON(file, limit: ShardedIndex.maximumLength), matches(json)
      else { continue }
      return file
    }
    return nil
  }
}
