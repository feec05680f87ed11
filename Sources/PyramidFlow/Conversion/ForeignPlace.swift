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
    if (try? Pack.isOne(path)) == true {
      (why, remedy) = ("it is a packed model", "Unpack it first.")
      return
    }
    let weights: WeightFiles
    do { weights = try WeightFiles.openAny(path) } catch let error as BenbenError {
      guard error.kind == .malformed, Self.isNamedForWeights(path) else { return nil }
      (why, remedy) = ("\(error.what): \(error.why)", error.remedies.first)
      return
    } catch { return nil }
    guard !weights.tensors.isEmpty else { return nil }
    let names = Set(weights.tensors.map(\.name))
    var titles: [String] = []
    for found in RecognizedWeights.all(in: names) where !titles.contains("a \(found.role.title)") {
      titles.append("a \(found.role.title)")
    }
    if titles.count > 1 {
      why = "it is one file with \(titles.joined(separator: ", "))"
      remedy = "Name the file for each of its components."
      return
    }
    let answer = RecognizedWeights.answer(on: names)
    let what = titles.first ?? answer?.what ?? "\(weights.tensors.count) tensors of something else"
    why = "it is \(what) on its own"
    let real = FileSystem.realPath(path)
    let isInCheckpoint = FileSystem.exists(FileSystem.parent(of: real) + "/" + ModelFamily.vaeComponent)
    remedy =
      isInCheckpoint
      ? "Give the folder above it: \(FileSystem.parent(of: real))"
      : titles.isEmpty ? answer?.remedy : nil
  }

  private static func isNamedForWeights(_ path: String) -> Bool {
    WeightFiles.isNamedLikeOne(path) || [".benben", ".zst"].contains(where: path.lowercased().hasSuffix)
  }
}
