import JSON
import Tensors

/// The index of a checkpoint that is split into several safetensors files (`*.safetensors.index.json`).
///
/// Decision: `metadata.total_size` is not checked, since released indexes count tied tensors differently; every
/// tensor is checked against its shard instead.
public enum ShardedIndex {
  /// Indexes larger than this are refused; the largest released one is 20 KB.
  public static let maximumLength = 16_000_000
  /// More shards than any checkpoint has.
  public static let maximumShardCount = 1000

  /// Opens the index and every shard it names; all shards must lie in the index's own folder.
  public static func open(_ path: String, in folder: CheckpointFolder) throws -> WeightFiles {
    let index = try parseJSON(path, limit: maximumLength)
    guard let weightMap = index["weight_map"]?.object, !weightMap.isEmpty else {
      throw malformed("malformed shard index", path, "weight_map is not an object of names")
    }
    var shardOfTensor: [String: String] = [:]
    for (tensor, shard) in weightMap {
      guard let shard = shard.string else {
        throw malformed("malformed shard index", path, "the shard of \(quoted(tensor)) is not a string")
      }
      guard !shard.isEmpty, shard != ".", shard != "..", !shard.contains("/"), !shard.contains("\\"),
        !shard.unicodeScalars.contains("\0")
      else {
        throw malformed(
          "malformed shard index", path, "\(quoted(shard)) is not a file name in the same folder")
      }
      shardOfTensor[tensor] = shard
    }
    let shardNames = Set(shardOfTensor.values).sorted()
    guard shardNames.count <= maximumShardCount else {
      throw malformed(
        "malformed shard index", path, "\(shardNames.count) shards; at most \(maximumShardCount)")
    }
    var files: [SourceFile] = []
    var tensors: [TensorDescriptor] = []
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    for shard in shardNames {
      let shardPath = directory + shard
      guard CheckpointFolder.exists(shardPath) else {
        throw BenbenError(
          .missing, "a shard is missing", at: shardPath, because: "the index \(lastComponent(path)) names it",
          remedies: ["Download the missing file into the same folder."])
      }
      try folder.requireInside(shardPath)
      let opened = try Safetensors.open(shardPath)
      for tensor in opened.tensors where shardOfTensor[tensor.name] != shard {
        let place =
          shardOfTensor[tensor.name].map { "the index places it in \(quoted($0))" } ?? "the index lacks it"
        throw malformed("unexpected tensor \(quoted(tensor.name))", shardPath, place)
      }
      files += opened.files
      tensors += opened.tensors
    }
    let found = Set(tensors.map(\.name))
    if let absent = shardOfTensor.keys.filter({ !found.contains($0) }).min() {
      throw malformed(
        "tensor \(quoted(absent)) is missing", directory + (shardOfTensor[absent] ?? ""),
        "the index says that it is in this shard")
    }
    return WeightFiles(
      files: files, tensors: tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
  }
}

/// Reads and parses a JSON file of at most `limit` bytes.
func parseJSON(_ path: String, limit: Int) throws -> JSONValue {
  let bytes = try SourceFile.contents(of: path, limit: limit)
  do {
    return try JSONValue(parsing: bytes)
  } catch {
    throw malformed("not valid JSON", path, error.description)
  }
}

/// The last component of a path.
func lastComponent(_ path: String) -> String {
  path.split(separator: "/").last.map(String.init) ?? path
}
