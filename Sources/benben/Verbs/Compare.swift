import ArgumentParser
import Checkpoints
import JSON
import Parity
import Tensors

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare two weight files or models tensor by tensor, or two traces.",
    discussion: """
      The second is the reference: weights that inspect knows, or a trace (.h5), golden or kept by verify --trace-out. \
      The exit code is 1 when one side lacks a tensor or has it in another shape.
      """)

  @Argument(help: "The weights to judge.", completion: .file())
  var first: String

  @Argument(help: "The reference.", completion: .file())
  var second: String

  @Option(help: "Write the result to this file as JSON (- for standard output).", completion: .file())
  var json: String?

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    try Console.requireWritable(json, from: [first, second])
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("comparing")
    // One trace alone names what the other is not.
    if [first, second].contains(where: GoldenTrace.isTrace) {
      let comparison = try TraceComparison(first, reference: second) {
        try progress.update("comparing", done: $0, of: $1) { "\(Int($0)) datasets/s" }
      }
      return try tell(comparison.json, comparison.lines, isComplete: comparison.mismatches.isEmpty)
    }
    let comparison = try WeightComparison(
      try WeightCollection(path: first), reference: try WeightCollection(path: second)
    ) {
      try progress.update($0.name, done: $1 + 1, of: $2) { "\(Int($0)) tensors/s" }
    }
    try tell(
      JSONValue(encoding: comparison), comparison.lines(withEqual: common.verbose),
      isComplete: comparison.mismatches.isEmpty)
  }

  private func tell(_ report: JSONValue, _ lines: [String], isComplete: Bool) throws {
    if let json { try Console.write(report, to: json) }
    if json != "-", !common.quiet { try Console.print(lines: lines) }
    if !isComplete { throw ExitCode(1) }
  }
}
