import Checkpoints
import Models

extension Conversion {
  /// What the planned model lacks to make clips, as a sentence; empty for a whole one.
  package var gaps: [String] {
    guard let family = ModelFamily.named(family) else { return [] }
    let names = plans.map(\.component)
    let hasTransformer = names.contains { family.role(of: $0) == .transformer }
    let missing =
      (hasTransformer ? [] : ["a transformer"]) + family.sharedComponents.filter { !names.contains($0) }
    return missing.isEmpty
      ? [] : ["the model lacks \(missing.joined(separator: ", ")), and makes no clips without"]
  }
}
