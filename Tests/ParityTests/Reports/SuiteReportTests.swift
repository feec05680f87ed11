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
    #expect(throws: BenbenError.self) { try ParityPage.report(at: path) }
  }

  /// What stands at the top of a report is not believed.
  @Test func aSuitePassesWhenItsGoldensDo() throws {
    var members = try #require(try Self.report(["a", "b"]).json.object)
    members["passed"] = .bool(true)
    #expect(try !SuiteReport(json: .object(members), path: "report").passed)
    #expect(!SuiteReport(suite: ["a"], model: ParityReport.empty.model).passed)
  }

  /// As many goldens as a suite may have are merged in a time that grows with their number.
  @Test func manyGoldensAreMerged() throws {
    let names = (0..<20_000).map { "golden\($0)" }
    let report = SuiteReport(suite: names, model: ParityReport.empty.model)
    let clock = ContinuousClock()
    var table = ""
    let elapsed = try clock.measure { table = try SuiteReport(json: report.json, path: "report").table }
    #expect(!table.isEmpty)
    #expect(elapsed < .seconds(10))
  }
}
