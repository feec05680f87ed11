import Files
import Foundation
import JSON
import Tensors

/// The reports of one model on the goldens of a suite, or on some of them (`schemas/suite-report.schema.json`).
public struct SuiteReport: Sendable {
  package static let schema = "benben.suite/1"

  /// The outcome for one golden.
  public struct Entry: Sendable {
    /// The golden's name in the suite.
    public let name: String
    /// The report, or the reason why there is none.
    public let outcome: Result<ParityReport, Failure>
    /// The frames for the page (``ParityPage/clip(_:frames:)``), if it has any.
    package let clip: JSONValue?

    /// The reason why a golden could not be compared.
    public struct Failure: Error {
      /// The reason in one line, for a person.
      public let text: String

      /// Creates a reason.
      package init(text: String) { self.text = text }
    }

    /// Creates an entry.
    package init(name: String, outcome: Result<ParityReport, Failure>, clip: JSONValue?) {
      self.name = name
      self.outcome = outcome
      self.clip = clip
    }

    /// Whether the golden was compared and all of it passed.
    public var passed: Bool { (try? outcome.get().passed) ?? false }
  }

  /// What goldens were judged by; reports of one suite that differ in it do not belong together.
  public struct Basis: Codable, Equatable, Sendable {
    /// The version of Benben.
    public let version: String
    /// The SHA-256 of the list of the suite's goldens, which holds theirs; nil for a suite without a list.
    public let suiteSha256: String?
    /// The model's thresholds after all changes, by their names.
    public let thresholds: [String: Double]
    /// What the model approximated; nil for the exact computation.
    public let approximation: String?
    /// The variant whose transformer was verified; nil for a model without one, and in earlier reports.
    public let variant: String?

    /// Creates the basis of a verification.
    package init(
      version: String, suiteSha256: String?, thresholds: Thresholds, approximation: String? = nil,
      variant: String? = nil
    ) {
      self.approximation = approximation
      self.variant = variant
      self.version = version
      self.suiteSha256 = suiteSha256
      self.thresholds = [
        "teacherForced": thresholds.teacherForced, "freeRunning": thresholds.freeRunning,
        "text": thresholds.text, "psnrMinDb": thresholds.frames.psnrMinDb,
        "ssimMin": thresholds.frames.ssimMin, "identicalFraction": thresholds.frames.identicalFraction,
      ]
    }
  }

  /// The names of all goldens of the suite, sorted, whether they are reported on or not.
  public let suite: [String]
  /// The model, as reports name it.
  public let model: ModelSubject
  /// What goldens were judged by; nil in reports of versions before 0.2.0 and of single goldens.
  public let basis: Basis?
  /// The outcomes that are reported, in the order of the suite.
  public private(set) var entries: [Entry] = []

  /// Creates a report without entries.
  package init(suite: [String], model: ModelSubject, basis: Basis? = nil) {
    self.suite = suite
    self.model = model
    self.basis = basis
  }

  /// Appends the outcome for a golden.
  package mutating func add(_ entry: Entry) { entries.append(entry) }

  /// Whether something was compared and all of it passed.
  public var passed: Bool { !entries.isEmpty && entries.allSatisfy(\.passed) }

  /// The report as JSON (`schemas/suite-report.schema.json`).
  package var json: JSONValue {
    get throws { try json(withClips: false) }
  }

  /// The report as a JSON document with sorted keys.
  public var jsonText: String {
    get throws { try json.prettyText }
  }

  func json(withClips: Bool) throws -> JSONValue {
    let bundles = try entries.map { entry -> JSONValue in
      var members: [String: JSONValue] = ["name": .string(entry.name), "passed": .bool(entry.passed)]
      switch entry.outcome {
      case .success(let report): members["report"] = try JSONValue(encoding: report)
      case .failure(let failure): members["error"] = .string(failure.text)
      }
      if withClips { members["clip"] = entry.clip ?? .null }
      return .object(members)
    }
    var members: [String: JSONValue] = [
      "schema": .string(Self.schema), "passed": .bool(passed), "suite": .array(suite.map(JSONValue.string)),
      "model": try JSONValue(encoding: model), "bundles": .array(bundles),
    ]
    if let basis { members["basis"] = try JSONValue(encoding: basis) }
    return .object(members)
  }

  /// Reads a report from its JSON, or from the data of its page.
  package init(json: JSONValue, path: String) throws {
    func fault(_ why: String) -> BenbenError {
      BenbenError(
        .malformed, "no report of a suite", at: path, because: why, code: .notASuiteReport)
    }
    guard json["schema"]?.string == Self.schema else { throw fault("its schema is not \(Self.schema)") }
    guard let names = json["suite"]?.array?.compactMap(\.string), let rows = json["bundles"]?.array,
      let model = json["model"]
    else { throw fault("it lacks the suite, the model or the bundles") }
    let known = Set(names)
    suite = names
    do { self.model = try model.decoded(as: ModelSubject.self) } catch let error as DecodingError {
      throw fault("its model: \(error.reason)")
    }
    do { basis = try json["basis"]?.decoded(as: Basis.self) } catch let error as DecodingError {
      throw fault("its basis: \(error.reason)")
    }
    for row in rows {
      guard let name = row["name"]?.string, known.contains(name) else {
        throw fault("a bundle is not of the suite")
      }
      let outcome: Result<ParityReport, Entry.Failure>
      if let text = row["error"]?.string {
        outcome = .failure(Entry.Failure(text: text))
      } else if let report = try? row["report"]?.decoded(as: ParityReport.self) {
        outcome = .success(report)
      } else {
        throw fault("\(name) has no report")
      }
      let clip = row["clip"]?.object.map(JSONValue.object)
      entries.append(Entry(name: name, outcome: outcome, clip: clip))
    }
  }

  /// Creates the report of a whole suite from those of its shards.
  ///
  /// - Throws: ``BenbenError`` when they are of different suites, models, thresholds or versions, or do not hold every
  ///   golden exactly once.
  public init(merging shards: [(path: String, report: SuiteReport)]) throws {
    guard let first = shards.first else {
      throw BenbenError(.usage, "nothing to merge", at: "no reports", because: "one is needed at least")
    }
    self.init(suite: first.report.suite, model: first.report.model, basis: first.report.basis)
    var byName: [String: (path: String, entry: Entry)] = [:]
    for (path, report) in shards {
      func fault(_ why: String) -> BenbenError {
        BenbenError(.malformed, "the reports do not belong together", at: path, because: why)
      }
      guard report.suite == suite else { throw fault("it is of another suite than \(first.path)") }
      guard report.model == model else { throw fault("it is of another model than \(first.path)") }
      guard report.basis == basis else {
        throw fault(
          "its version, thresholds, approximation, transformer or list of goldens are others than those of \(first.path)"
        )
      }
      for entry in report.entries {
        if let known = byName.updateValue((path, entry), forKey: entry.name) {
          throw fault("\(entry.name) is in \(known.path), too")
        }
      }
    }
    let missing = suite.filter { byName[$0] == nil }
    guard missing.isEmpty else {
      throw BenbenError(
        .missing, "the suite is not complete", at: missing.joined(separator: ", "),
        because: "no report has it",
        remedies: ["Run the shard that it belongs to, and merge all of them."])
    }
    entries = suite.compactMap { byName[$0]?.entry }
  }

  /// The report for a terminal or a log: a line for each golden, the verdict last.
  public var table: String {
    let width = max(6, entries.map(\.name.count).max() ?? 0)
    func line(_ name: String, _ verdict: String, _ psnr: String, _ ssim: String, _ place: String) -> String {
      let columns = zip([name, verdict, psnr, ssim], [width, 7, 8, 8])
      return (columns.map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) } + [place])
        .joined(separator: "  ").trimmingCharacters(in: .whitespaces)
    }
    func number(_ value: Double?, _ digits: Int) -> String {
      value.map { String(format: "%.\(digits)f", $0) } ?? ""
    }
    var lines = [line("golden", "verdict", "PSNR min", "SSIM min", "first divergence")]
    for entry in entries {
      switch entry.outcome {
      case .success(let report):
        lines.append(
          line(
            entry.name.printable, entry.passed ? "ok" : "FAILED",
            number(report.shownComparison?.psnrMinDb, 2),
            number(report.shownComparison?.ssimMin.roundedDown(toDigits: 5), 5),
            report.firstDivergence?.printable ?? ""))
      case .failure(let failure):
        lines.append(line(entry.name.printable, "ERROR", "", "", failure.text.printable))
      }
    }
    let failed = entries.count(where: { !$0.passed })
    let part = entries.count < suite.count ? ", of \(suite.count) in the suite" : ""
    lines.append("\(entries.count - failed) of \(entries.count) goldens match" + part)
    lines.append(passed ? "PASS" : "FAIL")
    return lines.joined(separator: "\n") + "\n"
  }
}
