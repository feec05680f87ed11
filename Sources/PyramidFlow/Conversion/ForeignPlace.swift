import Checkpoints
import Files
import Models

/// What stands at a place where a checkpoint was expected, and what to do about it.
struct ForeignPlace {
  let why: String
  let remedy: String?

  /// Looks at a file or folder; returns nil when it is nothing known.
  init?(_ path: String) {
    if let advice = HubCache.advice(on: path) {
      (why, remedy) = ("the components are in the folder of a snapshot", advice)
      return
    }
    guard let weights = try? WeightFiles.openAny(path), !weights.tensors.isEmpty else { return nil }
    let names = Set(weights.tensors.map(\.name))
    let what =
      RecognizedWeights.all(in: names).first.map { "a \($0.role.title)" }
      ?? RecognizedWeights.foreign(in: names)
    why = "it is \(what ?? "\(weights.tensors.count) tensors of something else") on its own"
    let real = FileSystem.realPath(path)
    let isInCheckpoint = FileSystem.exists(FileSystem.parent(of: real) + "/" + ModelFamily.vaeComponent)
    remedy = isInCheckpoint ? "Give the folder above it: \(FileSystem.parent(of: real))" : nil
  }
}
