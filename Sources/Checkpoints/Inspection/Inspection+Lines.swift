import Files
import JSON
import Tensors

extension Inspection {
  /// What is in the weights, for people: the sources of a native model, the files of a pack, and the components.
  package var lines: [String] {
    origin + packedFiles.map { "\($0.path)  \(ByteSize.text($0.byteCount))" }
      + summary.map { item in
        let types = Set(rows.filter { $0.component == item.component }.map(\.typeText)).sorted()
          .joined(separator: "+")
        let name = item.component.isEmpty ? "" : item.component + "  "
        return
          "\(name)\(item.tensors) tensors  \(item.parameters) parameters  \(types)  \(ByteSize.text(item.bytes))"
      } + sources.compactMap { source in source.unreadText.map { "\(source.name): \($0)" } }
  }

  /// Every tensor with its type and shape, for people.
  package var tensorLines: [String] {
    rows.map { row in
      let name = row.component.isEmpty ? row.name : "\(row.component)/\(row.name)"
      return "\(name)  \(row.typeText)  \(row.shape.text)"
    }
  }

  /// What a native model was made from.
  private var origin: [String] {
    let sources = provenance?["source"]?.object ?? [:]
    return sources.keys.sorted().flatMap { component in
      let version = configs[component]?["_diffusers_version"]?.string.map { ", diffusers \($0)" }
      return (sources[component]?.array ?? []).map { file in
        let size = ByteSize.text(file["bytes"]?.integer ?? 0)
        let hash = file["sha256"]?.string?.prefix(16) ?? ""
        return "\(component) is from \(file["file"]?.string ?? ""): \(size), SHA-256 \(hash)…\(version ?? "")"
      }
    }
  }
}
