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
    print(inspection.kind)
    for item in inspection.summary {
      let types = item.types.map(\.rawValue).joined(separator: "+")
      let name = item.component.isEmpty ? "" : item.component + "  "
      print(
        "\(name)\(item.tensors) tensors  \(item.parameters) parameters  \(types)  \(Console.bytes(item.bytes))"
      )
    }
    guard common.verbose || inspection.summary.count == 1 else {
      print("(--verbose or --json lists every tensor)")
      return
    }
    for row in inspection.rows {
      let name = row.component.isEmpty ? row.name : "\(row.component)/\(row.name)"
      print("\(name)  \(row.type.rawValue)  \(row.shape.text)")
    }
  }
}
