import ArgumentParser
import Checkpoints
import JSON
import Tensors

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare two weight files or models, tensor by tensor.",
    discussion: """
      B is the reference. Anything that inspect knows can be compared; a component's single file is compared with the \
      component of a model that has its tensors. The exit code is 1 when a tensor is missing on one side or has another \
      shape.
      """)

  @Argument(help: "The weights to judge.", completion: .file())
  var first: String

  @Argument(help: "The reference.", completion: .file())
  var second: String

  @Option(help: "Write the result to this file as JSON (- for standard output).", completion: .file())
  var json: String?

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("comparing")
    var lines: [String] = []
    let comparison = try WeightComparison(
      try WeightCollection(path: first), reference: try WeightCollection(path: second)
    ) { row, position, count in
      if row.maxAbsError > 0 || common.verbose {
        let ratio =
          row.maxAbsError == 0
          ? "equal"
          : row.sqnrDb.isFinite ? "\((row.sqnrDb * 100).rounded() / 100) dB" : "the reference is zero"
        lines.append("\(row.name)  \(row.typeA) / \(row.typeB)  \(ratio)  max \(row.maxAbsError)")
      }
      try progress.update(row.name, done: position + 1, of: count) { "\(Int($0)) tensors/s" }
    }
    if let json { try Console.write(try JSONValue(encoding: comparison), to: json) }
    if json != "-", !common.quiet {
      let compared = comparison.tensors.count
      let equal = ", \(comparison.tensors.count { $0.maxAbsError == 0 }) of them equal"
      lines += comparison.mismatches + ["\(compared) tensors compared" + equal]
      try Console.print(lines: lines)
    }
    if !comparison.mismatches.isEmpty { throw ExitCode(1) }
  }
}
