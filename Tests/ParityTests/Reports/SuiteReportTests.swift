import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct SuiteReportTests {
  static let suite = ["a", "b", "c"]

  static func report(_ names: [String], of suite: [String] = suite, model: String = "miniflux") -> SuiteReport
  {
    var report = SuiteReport(suite: suite, model: ParityReport.of(model: model).model)
    for name in names {
      var parity = ParityReport.of(model: model)
      parity.add(
        TensorComparison(
          .prediction(.init(unit: 0, stage: 1, step: 2)), mode: .teacherForced,
          metrics: ErrorMetrics([name == "b" ? 1.5 : 1], reference: [1]), threshold: 1e-4))
      report.add(.init(name: name, outcome: .success(parity), clip: ["width": 1]))
    }
    return report
  }

  private static func merged(_ reports: SuiteReport...) throws -> SuiteReport {
    try SuiteReport(merging: reports.enumerated().map { ("\($0)", $1) })
  }

  @Test func mergesNoReports() {
    #expect { try Self.merged() } throws: { ($0 as? BenbenError)?.kind == .usage }
  }

  /// In whatever order the shards come.
  @Test func mergesToWhatOneRunGives() throws {
    let whole = Self.report(["a", "b", "c"])
    #expect(try Self.merged(Self.report(["b"]), Self.report(["a", "c"])).json == whole.json)
    #expect(try Self.merged(whole).table == whole.table)
    #expect(!whole.passed && whole.table.hasSuffix("2 of 3 goldens match\nFAIL\n"))
  }

  @Test func refusesWhatDoesNotBelongTogether() throws {
    #expect(throws: BenbenError.self) { try Self.merged(Self.report(["a"]), Self.report(["b"])) }
    #expect(throws: BenbenError.self) { try Self.merged(Self.report(["a", "b"]), Self.report(["b", "c"])) }
    #expect(throws: BenbenError.self) {
      try Self.merged(Self.report(["a", "b"]), Self.report(["c"], of: ["a", "b", "c", "d"]))
    }
    #expect(throws: BenbenError.self) {
      try Self.merged(Self.report(["a", "b"]), Self.report(["c"], model: "sd3"))
    }
  }

  @Test(arguments: [
    "", "[]", "{}", "{\"schema\":\"benben.suite/1\"}",
    "{\"schema\":\"benben.suite/1\",\"suite\":[\"a\"],\"model\":null,\"bundles\":[{\"name\":\"b\"}]}",
    "{\"schema\":\"benben.suite/1\",\"suite\":[\"a\"],\"model\":null,\"bundles\":[{\"name\":\"a\",\"passed\":true}]}",
    "<html><script type=\"application/json\" id=\"data\">{}</script></html>",
  ])
  func refusesOtherFiles(text: String) throws {
    let path = NSTemporaryDirectory() + "benben-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(throws: BenbenError.self) { try SuiteReport(json: ParityPage.json(at: path), path: path) }
  }

  /// Parts of a golden merge in the order of its calls; parts that cannot be, are missing or are of another whole do not.
  @Test func partsMergeInOrder() throws {
    func part(_ index: Int, of count: Int, _ tensors: [(slot: Int, unit: Int)] = []) -> ParityReport {
      var report = ParityReport.empty
      report.part = ParityReport.Part(index: index, of: count, golden: "golden.h5", modes: [.teacherForced])
      for (slot, unit) in tensors {
        report.add(
          TensorComparison(
            .latent(unit: unit, stage: 2), mode: .teacherForced, metrics: ErrorMetrics([1], reference: [1]),
            threshold: 0), slot: slot)
      }
      return report
    }
    func merged(_ parts: ParityReport...) throws -> ParityReport {
      try ParityReport(merging: parts.enumerated().map { ("\($0.offset).json", $0.element) })
    }
    let whole = try merged(part(2, of: 2, [(4, 1), (13, 4)]), part(1, of: 2, [(0, 0), (7, 2), (7, 3)]))
    #expect(whole.part == nil && whole.tensors.map(\.path) == (0..<5).map { "latents/unit\($0)/stage2" })
    for parts in [
      [part(1, of: 2)], [part(1, of: 1), part(1, of: 1)], [part(1, of: 2), part(3, of: 2)],
      [part(1, of: .max)], [part(0, of: 1)], [part(1, of: 2), part(2, of: 3)], [part(1, of: 1), .empty],
      [.empty, part(1, of: 1)], [part(1, of: 1)], [part(1, of: 100_000, [(0, 0)])],
    ] {
      #expect(throws: BenbenError.self) {
        try ParityReport(merging: parts.enumerated().map { ("\($0.offset).json", $0.element) })
      }
    }
    var odd = part(1, of: 1, [(0, 0)])
    odd.part?.slots.removeAll()
    #expect(throws: BenbenError.self) { try merged(odd) }
    var many = part(1, of: 2, [(0, 0)])
    many.callsCompared = .max
    #expect(throws: BenbenError.self) { try merged(many, part(2, of: 2)) }
    // All that ran a transformer ran the same one.
    func ran(_ variant: String?, _ index: Int) -> ParityReport {
      var report = part(index, of: 3, [(index, index)])
      report.variant = variant
      return report
    }
    #expect(try merged(ran(nil, 1), ran("768p", 2), ran("768p", 3)).variant == "768p")
    #expect(try merged(ran(nil, 1), ran(nil, 2), ran(nil, 3)).variant == nil)
    #expect { try merged(ran(nil, 1), ran("768p", 2), ran("384p", 3)) } throws: {
      ($0 as? BenbenError)?.subject == "2.json"
    }
  }

  /// What stands at the top of a report is not believed.
  @Test func aSuitePassesWhenItsGoldensDo() throws {
    var members = try #require(try Self.report(["a", "b"]).json.object)
    members["passed"] = .bool(true)
    #expect(try !SuiteReport(json: .object(members), path: "report").passed)
    #expect(try JSONValue(parsing: Self.report(["a"]).jsonText) == Self.report(["a"]).json)
    #expect(!SuiteReport(suite: ["a"], model: ParityReport.empty.model).passed)
  }

  /// As many goldens as a suite may have are merged in a time that grows with their number.
  @Test func manyGoldensAreMerged() throws {
    // A search for each row would take minutes.
    let names = (0..<60_000).map { "golden\($0)" }
    var report = SuiteReport(suite: names, model: ParityReport.empty.model)
    for name in names { report.add(.init(name: name, outcome: .failure(.init(text: "x")), clip: nil)) }
    let clock = ContinuousClock()
    var table = ""
    let elapsed = try clock.measure {
      let read = try SuiteReport(json: report.json, path: "report")
      table = try SuiteReport(merging: [("report", read)]).table
      #expect(JUnitReport.xml(read).contains("golden59999"))
    }
    #expect(!table.isEmpty)
    #expect(elapsed < .seconds(20))
  }

  /// Shards that were judged by other thresholds, or by another version.
  @Test func refusesOtherBases() throws {
    func report(
      _ names: [String], version: String = "1", thresholds: Thresholds = .exact, variant: String? = "384p"
    ) throws -> SuiteReport {
      let plain = Self.report(names, of: ["a", "c"])
      var report = SuiteReport(
        suite: plain.suite, model: plain.model,
        basis: SuiteReport.Basis(
          version: version, suiteSha256: "00", thresholds: thresholds, variant: variant))
      for entry in plain.entries { report.add(entry) }
      return report
    }
    #expect(try Self.merged(report(["a"]), report(["c"])).passed)
    #expect(throws: BenbenError.self) { try Self.merged(report(["a"]), report(["c"], variant: "768p")) }
    var loose = Thresholds.exact
    loose.teacherForced *= 10
    #expect(throws: BenbenError.self) { try Self.merged(report(["a"]), report(["c"], thresholds: loose)) }
    #expect(throws: BenbenError.self) { try Self.merged(report(["a"]), report(["c"], version: "2")) }
  }

  /// A row that is none would leave the page empty.
  @Test func refusesRowsThatAreNone() throws {
    let text = try Self.report(["a"]).json.canonicalText
    let path = TracePath.prediction(.init(unit: 0, stage: 1, step: 2)).description
    #expect(text.contains("\"\(path)\""))
    for row in ["5", "null", "[]"] {
      let changed = try JSONValue(
        parsing: Array(text.replacingOccurrences(of: "\"\(path)\"", with: row).utf8))
      #expect(throws: BenbenError.self) { try SuiteReport(json: changed, path: "report") }
    }
  }
}
