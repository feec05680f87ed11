import ArgumentParser
import Checkpoints
import JSON
import Parity

/// Where a verification's report goes.
struct ReportOptions: ParsableArguments {
  @Option(help: "Write the report to this file as JSON (- for standard output).", completion: .file())
  var json: String?

  @Option(help: "Write the report to this file as a page of HTML.", completion: .file())
  var report: String?

  @Option(help: "Write the report to this file in JUnit's format, for CI systems.", completion: .file())
  var junit: String?

  func requireWritable(beside other: String? = nil, from inputs: [String?]) throws {
    try OutputPlaces.requireApart([json, report, junit, other], from: inputs)
    for path in [json, report, junit] { try Console.requireWritable(path) }
  }

  /// Writes what was asked for, and the table on standard output when nothing else is there.
  func write(_ suite: SuiteReport, json document: JSONValue, table: String, quiet: Bool) throws {
    if let report { try Console.write(try ParityPage.html(suite), to: report) }
    if let junit { try Console.write(JUnitReport.xml(suite), to: junit) }
    if let json { try Console.write(document, to: json) }
    if !quiet, ![json, report, junit].contains("-") { try Console.print(table) }
  }
}
