import Files
import JSON
import Parity

/// The report that one verification would have given, from those of its shards: of a suite's goldens, or of a golden's calls.
public struct MergedReport: Sendable {
  /// The report as its page shows it: that of a single golden as a suite of one.
  public let page: SuiteReport
  /// The report as JSON.
  package let json: JSONValue
  /// The report as a JSON document with sorted keys.
  public var jsonText: String { json.prettyText }
  /// The report for a terminal or a log.
  public let table: String

  /// Whether something was compared and all of it passed.
  public var passed: Bool { page.passed }

  /// Puts reports together.
  ///
  /// - Parameter paths: what verifications wrote for the shards: JSON, or pages, which alone hold the frames.
  /// - Throws: `BenbenError` when a file is no report, the reports do not belong together, or a shard is missing.
  public init(of paths: [String]) throws {
    let reports = try paths.map(EvidenceReport.init(at:))
    let parts = reports.compactMap { report in
      report.goldens.first.flatMap { $0.part == nil ? nil : (path: report.path, report: $0) }
    }
    guard !parts.isEmpty else {
      if let single = reports.first(where: \.isSingle) {
        throw BenbenError(
          .malformed, "no report of a shard", at: single.path, because: "it is of a whole golden",
          code: .notASuiteReport)
      }
      let merged = try SuiteReport(merging: reports.map { ($0.path, $0.report) })
      (page, json, table) = (merged, try merged.json, merged.table)
      return
    }
    if let other = reports.first(where: { $0.goldens.first?.part == nil || $0.report.entries.count != 1 }) {
      throw BenbenError(
        .malformed, "the reports do not belong together", at: other.path,
        because: "some are of a golden's calls and some are not")
    }
    let merged = try ParityReport(merging: parts)
    // The frames that are shown are those of the free run, which is the last part's, or the only ones.
    let clip = reports.sorted { ($0.goldens[0].part?.index ?? 0) > ($1.goldens[0].part?.index ?? 0) }
      .compactMap { $0.report.entries[0].clip }.first
    let name = parts[0].report.part?.golden ?? merged.golden.file
    var page = SuiteReport(suite: [name], model: merged.model)
    page.add(SuiteReport.Entry(name: name, outcome: .success(merged), clip: clip))
    (self.page, json, table) = (page, try JSONValue(encoding: merged), merged.table)
  }
}
