import ArgumentParser
import Parity

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Work with the reports of verify.", subcommands: [Merge.self])

  struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Put the reports of a suite's shards together.",
      discussion: """
        The result is the report that one run over the whole suite would have given; every golden must be in just one of \
        the reports. Pages hold the frames, JSON reports do not.
        """)

    @Argument(help: "What verify --json or verify --report wrote for the shards.", completion: .file())
    var reports: [String]

    @OptionGroup var outputs: ReportOptions

    @OptionGroup var common: CommonOptions

    func run() throws {
      try outputs.requireWritable()
      let shards = try reports.map { (path: $0, report: try ParityPage.report(at: $0)) }
      let merged = try SuiteReport(merging: shards)
      try outputs.write(merged, json: merged.json, table: merged.table, quiet: common.quiet)
      if !merged.passed { throw ExitCode(1) }
    }
  }
}
