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
    lines += inspection.lines
    if common.verbose || inspection.summary.count == 1 {
      lines += inspection.tensorLines
    } else if !inspection.rows.isEmpty {
      lines.append("(--verbose or --json lists every tensor)")
    }
    try Console.print(lines: lines)
  }
}
