import Files
import JSON
import Parity

/// The report that one verification would have given, from those of its shards: of a suite's goldens, or of a golden's calls.
public struct MergedReport: Sendable {
  /// The report as its page shows it: that of a single golden as a suite of one.
  public let page: SuiteReport
  /// The report as JSON.
  package let json: JSONValue
  /// The report for a terminal or a log.
  public let table: String

  /// Whether something was compared and all of it passed.
  public var passed: Bool { page.passed }

  /// Puts reports together.
  ///
  /// - Parameter paths: what verifications wrote for the shards: JSON, or pages, which alone hold the frames.
  /// - Throws: `BenbenError` when a file is no report, the reports do not belong together, or a shard is missing.
  public init(of paths: [String]) throws {
    let reports = try paths.map { (path: $0, report: try EvidenceReport(at: $0).report) }
    let parts = reports.compactMap { shard in
      (try? shard.report.entries.first?.outcome.get()).map { (path: shard.path, report: $0) }
    }
    guard parts.contains(where: { $0.report.part != nil }) else {
      let merged = try SuiteReport(merging: reports)
      (page, json, table) = (merged, try merged.json, merged.table)
      return
    }
    guard parts.count == reports.count else {
      throw BenbenError(
        .malformed, "the reports do not belong together", at: reports.map(\.path).joined(separator: ", "),
        because: "some are of a golden's calls and some are not")
    }
    let merged = try ParityReport(merging: parts)
    // The frames that are shown are those of the free run, which is the last part's, or the only ones.
    let clips = zip(parts, reports).sorted { ($0.0.report.part?.index ?? 0) > ($1.0.report.part?.index ?? 0) }
      .compactMap { $0.1.report.entries.first?.clip }
    let name = reports[0].report.suite.first ?? merged.golden.file
    var page = SuiteReport(suite: [name], model: merged.model)
    page.add(SuiteReport.Entry(name: name, outcome: .success(merged), clip: clips.first))
    (self.page, json, table) = (page, try JSONValue(encoding: merged), merged.table)
  }
}
