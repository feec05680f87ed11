import Files
import JSON
import Tensors

/// The index of a checkpoint that is split into several files (`*.safetensors.index.json`, `*.bin.index.json`).
///
/// Decision: `metadata.total_size` is not checked, since released indexes count tied tensors differently; every
/// tensor is checked against its shard instead.
package enum ShardedIndex {
  /// The maximum size of an index in bytes; the largest released one is 20 KB.
  package static let maximumLength = 16_000_000
  /// The maximum number of shards, more than any checkpoint has.
  package static let maximumShardCount = 1000

  /// Opens the index and every shard it names; all shards must lie in the index's own folder.
  package static func open(_ file: InputFile, in folder: CheckpointFolder) throws -> WeightFiles {
    let path = file.path
    let index = try parseJSON(file, limit: maximumLength)
    guard let weightMap = index["weight_map"]?.object, !weightMap.isEmpty else {
      guard index["weight_map"] == nil else {
        throw malformed("malformed shard index", path, "weight_map is not an object of names")
      }
      throw malformed(
        "neither weights nor the index of their shards", path, "it is JSON without a weight_map",
        "Give the folder that it lies in, or the file of the weights.")
    }
    var shardOfTensor: [String: String] = [:]
    for (tensor, shard) in weightMap {
      guard let shard = shard.string else {
        throw malformed("malformed shard index", path, "the shard of \(quoted(tensor)) is not a string")
      }
      guard RelativePath.isName(shard) else {
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
    var files: [InputFile] = []
    var tensors: [TensorDescriptor] = []
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
    let opened = try shards(shardNames, of: shardOfTensor, in: directory, index: path, folder)
    for (shard, weights) in opened {
      for tensor in weights.tensors where shardOfTensor[tensor.name] != shard {
        let place =
          shardOfTensor[tensor.name].map { "the index places it in \(quoted($0))" } ?? "the index lacks it"
        throw malformed("unexpected tensor \(quoted(tensor.name))", tensor.file.path, place, remedy)
      }
      files += weights.files
      tensors += weights.tensors
    }
    let found = Set(tensors.map(\.name))
    if let absent = shardOfTensor.keys.filter({ !found.contains($0) }).min() {
      throw malformed(
        "tensor \(quoted(absent)) is missing", directory + (shardOfTensor[absent] ?? ""),
        "the index says that it is in this shard", remedy)
    }
    return try WeightFiles(
      files: files, tensors: tensors,
      format: opened.first?.weights.format ?? ""
    ).joiningScales()
  }
}

extension ShardedIndex {
  private static let remedy = "Download the index and its shards again, from one commit of the repository."

  /// Opens the shards that an index names or, where no file has any of these names, the files of the folder that hold
  /// their tensors.
  private static func shards(
    _ names: [String], of shardOfTensor: [String: String], in directory: String, index: String,
    _ folder: CheckpointFolder
  ) throws -> [(name: String, weights: WeightFiles)] {
    if !names.contains(where: { FileSystem.exists(directory + $0) }) {
      var byContent: [(name: String, weights: WeightFiles)] = []
      for file in FileSystem.files(in: directory) where directory + file != index {
        let source = try folder.open(directory + file)
        guard WeightFiles.looksLikeWeights(try source.bytes(at: 0, count: min(source.size, 9))) else {
          continue
        }
        let weights = try WeightFiles.openShard(source)
        if let shard = weights.tensors.first.flatMap({ shardOfTensor[$0.name] }) {
          byContent.append((shard, weights))
        }
      }
      if Set(byContent.map(\.name)).count == names.count, byContent.count == names.count { return byContent }
    }
    return try names.map { name in
      guard FileSystem.exists(directory + name) else {
        throw BenbenError(
          .missing, "a shard is missing", at: directory + name,
          because: "the index \(FileSystem.lastComponent(index)) names it",
          remedies: ["Download \(name) from \(folder.source) into the same folder."])
      }
      return (name, try WeightFiles.openShard(folder.open(directory + name)))
    }
  }
}
