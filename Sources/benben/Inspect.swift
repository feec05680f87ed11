import ArgumentParser
import Checkpoints
import Foundation
import Tensors

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a weights file or folder holds.",
    discussion:
      "Knows safetensors, sharded indexes, released checkpoints, native models and single .benben files.")

  @Argument(help: "The file or folder.")
  var path: String

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    let inspection = try Inspection(path: path)
    if json {
      try Console.write(inspection.json, to: "-")
      return
    }
    var lines = [inspection.kind]
    for item in inspection.summary {
      let types = item.types.map(\.rawValue).joined(separator: "+")
      let name = item.component.isEmpty ? "" : item.component + "  "
      lines.append(
        "\(name)\(item.tensors) tensors  \(item.parameters) parameters  \(types)  \(Console.bytes(item.bytes))"
      )
    }
    if common.verbose || inspection.summary.count == 1 {
      for row in inspection.rows {
        let name = row.component.isEmpty ? row.name : "\(row.component)/\(row.name)"
        lines.append("\(name)  \(row.type.rawValue)  \(row.shape.text)")
      }
    } else {
      lines.append("(--verbose or --json lists every tensor)")
    }
    try Console.print(lines.joined(separator: "\n") + "\n")
  }
}
