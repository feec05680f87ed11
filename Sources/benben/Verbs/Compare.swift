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

  @Argument(help: "The weights to judge.")
  var first: String

  @Argument(help: "The reference.")
  var second: String

  @Option(help: "Write the result to this file as JSON (- for standard output).")
  var json: String?

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    let (first, second) = (try WeightCollection(path: first), try WeightCollection(path: second))
    // A single file has no component's name: then names alone decide.
    let byName =
      first.items.contains { $0.component.isEmpty } || second.items.contains { $0.component.isEmpty }
    func key(_ item: WeightCollection.Item) -> String { byName ? item.name : item.path }
    let references = Dictionary(second.items.map { (key($0), $0) }) { first, _ in first }
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("comparing")
    var rows: [JSONValue] = []
    var lines: [String] = []
    var worst = Double.infinity
    var mismatches: [String] = []
    for (index, item) in first.items.enumerated() {
      guard let reference = references[key(item)] else {
        mismatches.append("\(item.path) is only in A")
        continue
      }
      guard item.shape == reference.shape else {
        mismatches.append("\(item.path): \(item.shape.text) in A, \(reference.shape.text) in B")
        continue
      }
      let metrics = try WeightCollection.compare(item, reference: reference)
      worst = min(worst, metrics.sqnrDb)
      rows.append(Self.row(item, reference, metrics))
      if metrics.maxAbs > 0 || common.verbose {
        let ratio = metrics.sqnrDb.isFinite ? "\((metrics.sqnrDb * 100).rounded() / 100) dB" : "equal"
        lines.append("\(item.path)  \(item.type) / \(reference.type)  \(ratio)  max \(metrics.maxAbs)")
      }
      try progress.update(item.path, done: index + 1, of: first.items.count) { "\(Int($0)) tensors/s" }
    }
    let found = Set(first.items.map(key))
    mismatches += second.items.filter { !found.contains(key($0)) }.map { "\($0.path) is only in B" }
    if let json {
      try Console.write(
        [
          "tensors": .array(rows), "mismatches": .array(mismatches.map(JSONValue.string)),
          "worstSqnrDb": worst.isFinite ? .number(worst) : .null,
          "equal": .bool(mismatches.isEmpty && !worst.isFinite),
        ], to: json)
    }
    if json != "-", !common.quiet {
      lines += mismatches
      let equal = rows.count - lines.count + mismatches.count
      lines.append("\(rows.count) tensors compared" + (common.verbose ? "" : ", \(equal) of them equal"))
      try Console.print(lines.joined(separator: "\n") + "\n")
    }
    if !mismatches.isEmpty { throw ExitCode(1) }
  }

  private static func row(
    _ item: WeightCollection.Item, _ reference: WeightCollection.Item, _ metrics: ErrorMetrics
  ) -> JSONValue {
    [
      "name": .string(item.path), "shape": .array(item.shape.map(JSONValue.integer)),
      "typeA": .string(item.type), "typeB": .string(reference.type),
      "sqnrDb": metrics.sqnrDb.isFinite ? .number(metrics.sqnrDb) : .null,
      "maxAbsError": metrics.maxAbs.isFinite ? .number(metrics.maxAbs) : .null,
      "meanAbsError": .number(metrics.meanAbs),
    ]
  }
}
