import ArgumentParser
import Parity
import PyramidFlow
import PyramidFlowVerification

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Work with the reports of verify.", subcommands: [Merge.self, Check.self])

  struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put the reports of the shards of a suite or of a golden together.",
      discussion: """
        The result is the report that one run would have given; every golden, or every part of one, must be in just one of \
        the reports. Pages hold the frames, JSON reports do not.
        """)

    @Argument(help: "What verify --json or verify --report wrote for the shards.", completion: .file())
    var reports: [String]

    @OptionGroup var outputs: ReportOptions

    @OptionGroup var common: CommonOptions

    func run() throws {
      try outputs.requireWritable(from: reports)
      let merged = try MergedReport(of: reports)
      try outputs.write(merged.page, json: merged.json, table: merged.table, quiet: common.quiet)
      if !merged.passed { throw ExitCode(1) }
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Tell whether reports are evidence for a model, without running it.",
      discussion: """
        A report is one if it is of this very model, its verdicts follow from its numbers, and it was judged no more loosely \
        than the model's types ask for. Whether the numbers were ever computed, only verify tells; whether the weights are \
        whole, check.
        """)

    @Argument(help: "The model folder.", completion: .directory)
    var model: String

    @Argument(help: "What verify --json or verify --report wrote.", completion: .file())
    var reports: [String]

    @Option(help: "Write the outcome to this file as JSON (- for standard output).", completion: .file())
    var json: String?

    @OptionGroup var common: CommonOptions

    func run() throws {
      let model = try VideoModel(at: model)
      try Console.requireWritable(json, from: [self.model] + reports)
      let checks = try reports.map { try ReportCheck(EvidenceReport(at: $0), of: model) }
      if let json { try Console.write(ReportCheck.json(checks, of: model), to: json) }
      if json != "-", !common.quiet { try Console.print(lines: ReportCheck.lines(checks, of: model)) }
      if !checks.allSatisfy(\.passed) { throw ExitCode(1) }
    }
  }
}
