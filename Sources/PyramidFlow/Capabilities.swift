import Checkpoints
import JSON
import Models

/// The possible uses of inspected weights: their family and variants, the parts found, and what each use still lacks.
package struct Capabilities {
  /// A component, with what it was recognised as.
  struct Part {
    let component: String
    let recognized: RecognizedWeights
  }

  /// A use of a model, such as text-to-video.
  struct Use {
    let name: String
    /// The components and tokenizers that it lacks.
    let missing: [String]
  }

  let parts: [Part]
  /// What a component is that is not of Pyramid Flow, where that is known.
  let others: [(component: String, what: String)]
  /// The family, or nil when it cannot be determined.
  let family: ModelFamily?
  let variants: [String]
  let uses: [Use]
  /// Why the components cannot work together, judged by their configs; nil when nothing speaks against it.
  let misfit: String?
  /// Why tokenizers that are there cannot be read, a sentence each.
  let tokenizerFaults: [String]
  /// The transformers that lack a file.
  private let incomplete: [String]
  /// Whether the weights are packed, so that nothing is known of them but the names of files.
  private let isPacked: Bool

  /// Determines the uses of the weights inspected at a path.
  package init(_ inspection: Inspection, at path: String) {
    let names = inspection.summary.map(\.component)
    var mistaken: [(component: String, what: String)] = []
    let parts = names.flatMap { name -> [Part] in
      let tensors = Set(inspection.shapes(of: name).keys)
      return RecognizedWeights.all(in: tensors).compactMap { recognized in
        if let what = recognized.mistaken(in: tensors) {
          mistaken.append((name, what))
          return nil
        }
        return Part(component: name, recognized: recognized)
      }
    }
    let prefix = ModelFamily.transformerPrefix
    // In a folder of loose files, a component is called like its file.
    let variants = names.filter { $0.hasPrefix(prefix) }.map {
      String($0.dropFirst(prefix.count).prefix { $0 != "." })
    }
    let recognized = parts.compactMap(\.recognized.family).first.flatMap(ModelFamily.named)
    let clips = parts.count { $0.recognized.role == .clip }
    let family =
      recognized ?? (clips > 1 || names.contains(ModelFamily.sd3.t5Component) ? .sd3 : nil)
      ?? (inspection.provenance?["family"]?.string).flatMap(ModelFamily.named)
    self.parts = parts
    isPacked = !inspection.packedFiles.isEmpty
    others =
      mistaken
      + names.compactMap { name in
        guard !mistaken.contains(where: { $0.component == name }),
          !parts.contains(where: { $0.component == name })
        else { return nil }
        return RecognizedWeights.answer(on: Set(inspection.shapes(of: name).keys)).map { (name, $0.what) }
      }
    self.variants = variants
    self.family = family
    misfit = family.flatMap { family in
      family.strangers(among: names) { inspection.configs[$0] } ?? Self.misplaced(parts, in: family)
        ?? (try? family.misfit(of: inspection.configs))
        ?? inspection.sources.lazy.compactMap { ReleaseImporter.fault(of: $0, in: family) }.first
    }
    let folder = try? CheckpointFolder(path: path)
    tokenizerFaults =
      family.flatMap { family in
        folder.map { ReleaseImporter.tokenizerFaults($0, family, configs: inspection.configs) }
      } ?? []
    incomplete = inspection.incomplete.map(\.component).filter { $0.hasPrefix(prefix) }
    uses =
      family.map { family in
        Self.uses(
          of: family, inspection, variants: variants, roles: parts.map(\.recognized.role),
          transformer: parts.first { $0.recognized.role == .transformer && !$0.component.hasPrefix(prefix) }?
            .component,
          tokenizers: Set(folder.map { ReleaseImporter.presentTokenizerFiles($0, family) } ?? []))
      } ?? []
  }

  /// Returns what a folder holds that has the name of something else.
  private static func misplaced(_ parts: [Part], in family: ModelFamily) -> String? {
    parts.first {
      family.sharedComponents.contains($0.component) && family.role(of: $0.component) != $0.recognized.role
    }.map { part in
      "\(part.component) holds a \(part.recognized.role.title), not a \(family.role(of: part.component)?.title ?? "")"
    }
  }

  private static func uses(
    of family: ModelFamily, _ inspection: Inspection, variants: [String], roles: [ModelFamily.Role],
    transformer: String?, tokenizers: Set<String>
  ) -> [Use] {
    let prefix = ModelFamily.transformerPrefix
    let names = inspection.summary.map(\.component)
    let isFolder = names != [""]
    // In a folder, components are identified by their names; in other files, by what they are.
    let present = Set(names)
    func missing(isVideo: Bool) -> [String] {
      var missing: [String] = []
      let isThere =
        isFolder && !variants.isEmpty
        ? variants.contains { !isVideo || $0 != ReleasedVariant.image.name }
        : roles.contains(.transformer) && inspection.sources.isEmpty
      if !isThere {
        let misnamed = transformer.map { " (which \($0) may be, under another name)" } ?? ""
        missing.append(prefix + (isVideo ? "384p or 768p" : "384p, 768p or image") + misnamed)
      }
      for name in family.sharedComponents where !present.contains(name) {
        let role = family.role(of: name)
        let isNamedOtherwise = present.isDisjoint(with: family.sharedComponents)
        let wanted = role == .clip ? (family.clipComponents.firstIndex(of: name) ?? 0) + 1 : 1
        if isNamedOtherwise, roles.count(where: { $0 == role }) >= wanted { continue }
        missing.append(name)
      }
      for (folder, files) in family.tokenizers {
        let lacking = files.map(\.rawValue).filter { !tokenizers.contains("\(folder)/\($0)") }
        if lacking.count == files.count {
          missing.append(folder)
        } else if !lacking.isEmpty {
          missing.append("\(folder) (\(lacking.joined(separator: ", ")))")
        }
      }
      return missing
    }
    return [
      Use(name: "text-to-video", missing: missing(isVideo: true)),
      Use(name: "image-to-video", missing: missing(isVideo: true)),
      Use(name: "text-to-image", missing: missing(isVideo: false)),
    ]
  }

  /// The members that are added to the inspection's JSON.
  package var json: [String: JSONValue] {
    [
      "family": family.map { .string($0.name) } ?? .null,
      "variants": .array(variants.map(JSONValue.string)),
      "recognized": .array(
        parts.map { part in
          [
            "component": .string(part.component), "role": .string(part.recognized.role.rawValue),
            "prefix": .string(part.recognized.prefix),
          ]
        }),
      "others": .array(
        others.map { ["component": .string($0.component), "what": .string($0.what)] }),
      "tokenizerFaults": .array(tokenizerFaults.map(JSONValue.string)),
      "misfit": misfit.map(JSONValue.string) ?? .null,
      "uses": .array(
        uses.map { use in
          [
            "use": .string(use.name), "possible": .bool(use.missing.isEmpty && misfit == nil),
            "missing": .array(use.missing.map(JSONValue.string)),
          ]
        }),
    ]
  }

  /// The uses as lines of text.
  package var lines: [String] {
    var lines: [String] = []
    if let family {
      let made = variants.isEmpty ? "" : ", \(variants.joined(separator: ", "))"
      lines.append("family: \(family.name)\(made)")
    } else if !parts.isEmpty {
      lines.append("family: either (no transformer tells)")
    } else if isPacked {
      lines.append("family: told when it is unpacked")
    } else {
      lines.append("family: none (no tensors of Pyramid Flow)")
    }
    for part in parts {
      let prefix = part.recognized.prefix
      let place = part.component.isEmpty ? "" : "\(part.component): "
      lines.append(
        "\(place)a \(part.recognized.role.title)" + (prefix.isEmpty ? "" : ", under the prefix \(prefix)"))
    }
    for other in others {
      lines.append((other.component.isEmpty ? "" : "\(other.component): ") + other.what)
    }
    lines += tokenizerFaults
    if let misfit { lines.append("the components do not fit together: \(misfit)") }
    let others =
      incomplete.isEmpty ? "" : ", if \(incomplete.joined(separator: " and ")) is left out or made whole"
    let whole = misfit == nil ? "complete" + others : "not with these components"
    for use in uses {
      lines.append(
        "\(use.name): " + (use.missing.isEmpty ? whole : "missing \(use.missing.joined(separator: ", "))"))
    }
    return lines
  }
}
