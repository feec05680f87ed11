import ArgumentParser
import Checkpoints
import Files
import JSON
import PyramidFlow
import Tensors

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a weights file or folder holds.",
    discussion:
      """
      Knows safetensors, PyTorch archives (.bin), GGUF, shard indexes, released checkpoints, folders of single files, \
      native models, single .benben files and packs. Weights are told by the names of their tensors.
      """)

  @Argument(help: "The file or folder.", completion: .file())
  var path: String

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    let inspection = try Inspection(path: path)
    let contents = Capabilities(inspection, at: path)
    if json {
      let members = (inspection.json.object ?? [:]).merging(contents.json) { first, _ in first }
      try Console.write(.object(members), to: "-")
      return
    }
    var lines = [inspection.kind] + contents.lines
    lines += inspection.incomplete.map { "incomplete: \($0.component): \($0.why)" }
    lines += Self.origin(inspection)
    lines += inspection.packedFiles.map { "\($0.path)  \(ByteSize.text($0.byteCount))" }
    for item in inspection.summary {
      let types = item.types.joined(separator: "+")
      let name = item.component.isEmpty ? "" : item.component + "  "
      lines.append(
        "\(name)\(item.tensors) tensors  \(item.parameters) parameters  \(types)  \(ByteSize.text(item.bytes))"
      )
    }
    if common.verbose || inspection.summary.count == 1 {
      for row in inspection.rows {
        let name = row.component.isEmpty ? row.name : "\(row.component)/\(row.name)"
        lines.append("\(name)  \(row.type)  \(row.shape.text)")
      }
    } else if !inspection.rows.isEmpty {
      lines.append("(--verbose or --json lists every tensor)")
    }
    try Console.print(lines: lines)
  }

  /// What a native model was made from.
  private static func origin(_ inspection: Inspection) -> [String] {
    let sources = inspection.provenance?["source"]?.object ?? [:]
    return sources.keys.sorted().flatMap { component in
      let version = inspection.configs[component]?["_diffusers_version"]?.string.map { ", diffusers \($0)" }
      return (sources[component]?.array ?? []).map { file in
        let size = ByteSize.text(file["bytes"]?.integer ?? 0)
        let hash = file["sha256"]?.string?.prefix(16) ?? ""
        return "\(component) is from \(file["file"]?.string ?? ""): \(size), SHA-256 \(hash)…\(version ?? "")"
      }
    }
  }
}
