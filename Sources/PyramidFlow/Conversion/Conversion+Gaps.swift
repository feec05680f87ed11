import Checkpoints
import Models

extension Conversion {
  /// What the planned model lacks to make clips, and a variant that was never released, a sentence each.
  package var gaps: [String] {
    guard let family = ModelFamily.named(family) else { return [] }
    let names = plans.map(\.component)
    let variants = names.filter { family.role(of: $0) == .transformer }
      .map { String($0.dropFirst(ModelFamily.transformerPrefix.count)) }
    let missing =
      (variants.isEmpty ? ["a transformer"] : []) + family.sharedComponents.filter { !names.contains($0) }
    let readsText = names.contains { family.role(of: $0) == .clip || family.role(of: $0) == .t5 }
    let released = ReleasedVariant.all.map(\.name)
    return
      (missing.isEmpty
      ? [] : ["the model lacks \(missing.joined(separator: ", ")), and makes no clips without"])
      + (readsText && auxiliary.isEmpty
        ? ["the model lacks its tokenizers, and reads no prompt without"] : [])
      + variants.filter { !released.contains($0) }.map {
        "\($0.printable) is none of the released variants (\(released.joined(separator: ", "))); clips get the defaults of \(ReleasedVariant.p384.name)"
      }
  }
}
