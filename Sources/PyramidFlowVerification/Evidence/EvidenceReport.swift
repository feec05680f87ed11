import Files
import JSON
import Parity

/// A report as a file, whichever of them a verification wrote: the JSON of one golden or of a suite, or the page of either.
public struct EvidenceReport: Sendable {
  /// The file.
  public let path: String
  /// The report; that of a single golden as a suite of one.
  public let report: SuiteReport
  /// Whether the file is of one golden, and no suite's.
  let isSingle: Bool
  /// Whether everything that the file states, its verdicts above all, follows from the comparisons that it holds.
  let isConsistent: Bool

  /// Reads a report.
  ///
  /// - Throws: `BenbenError` when the file is no report.
  public init(at path: String) throws {
    self.path = path
    let json = try ParityPage.json(at: path)
    func fault(_ why: String) -> BenbenError {
      BenbenError(
        .malformed, "no report of a verification", at: path, because: why,
        remedies: ["Give what a verification wrote, as JSON or as a page."])
    }
    guard let schema = json["schema"]?.string else { throw fault("it names no schema") }
    guard [ParityReport.schema, SuiteReport.schema].contains(schema) else {
      throw fault("its schema is \(schema.printable)")
    }
    guard schema == ParityReport.schema else {
      isSingle = false
      report = try SuiteReport(json: json, path: path)
      isConsistent = try report.json == json.withoutClips && ParityPage.isOwn(path, of: report)
      return
    }
    isSingle = true
    do {
      let single = try json.decoded(as: ParityReport.self)
      report = try SuiteReport(single: single.golden.file, single, wantsFrames: false)
      isConsistent = try JSONValue(encoding: single) == json
    } catch let error as DecodingError { throw fault(error.reason) }
  }

  /// The name of the file.
  var name: String { FileSystem.lastComponent(path) }

  /// The reports of goldens that could be compared.
  var goldens: [ParityReport] { report.entries.compactMap { try? $0.outcome.get() } }

  /// The verdict in one line.
  public var summary: String {
    let passed = report.entries.count(where: \.passed)
    return "\(report.passed ? "PASS" : "FAIL"): \(passed) of \(report.suite.count) goldens match"
  }
}

extension JSONValue {
  /// A suite's report without the pictures that its page holds.
  fileprivate var withoutClips: JSONValue {
    guard var members = object, let rows = members["bundles"]?.array else { return self }
    members["bundles"] = .array(
      rows.map { row in .object((row.object ?? [:]).filter { $0.key != "clip" }) })
    return .object(members)
  }
}
