import ArgumentParser
import Parity
import Tensors

/// A part of a suite, counted from 1.
struct Shard: ExpressibleByArgument {
  let index: Int, count: Int

  init?(argument: String) {
    guard let numbers = argument.integers(separatedBy: { $0 == "/" }), numbers.count == 2,
      1...100_000 ~= numbers[1], 1...numbers[1] ~= numbers[0]
    else { return nil }
    (index, count) = (numbers[0], numbers[1])
  }

  /// Every `count`-th name, from the `index`-th on.
  func part(of names: [String]) -> [String] {
    stride(from: index - 1, to: names.count, by: count).map { names[$0] }
  }
}

/// Verifies a model against the bundles of a suite, one after the other.
struct SuiteVerification {
  let suite: GoldenSuite
  let shard: Shard?
  let options: CommonOptions
  /// Whether a page with pictures is wanted.
  let wantsFrames: Bool
  let failFast: Bool

  /// - Parameter verify: compares with one bundle.
  func run(_ report: SuiteReport, verify: (GoldenBundle) throws -> ParityReport) throws -> SuiteReport {
    var report = report
    let names = shard?.part(of: suite.names) ?? suite.names
    guard !names.isEmpty else {
      throw BenbenError(
        .usage, "nothing to verify", at: suite.path,
        because: "the suite has \(suite.names.count) bundles, fewer than shards")
    }
    for (index, name) in names.enumerated() {
      let entry = try entry(name, verify)
      report.add(entry)
      options.say("golden \(index + 1)/\(names.count), \(name): \(entry.passed ? "ok" : "FAILED")")
      if failFast, !entry.passed { break }
    }
    return report
  }

  /// A bundle that cannot be compared with is reported, and the others are still verified.
  private func entry(_ name: String, _ verify: (GoldenBundle) throws -> ParityReport) throws
    -> SuiteReport.Entry
  {
    do {
      let report = try verify(try suite.bundle(name))
      let clip = wantsFrames ? try ReportPage.clip(of: report, goldens: suite.names.count) : nil
      return SuiteReport.Entry(name: name, outcome: .success(report.json), clip: clip)
    } catch let error as BenbenError where [.malformed, .missing, .usage].contains(error.kind) {
      return SuiteReport.Entry(name: name, outcome: .failure(.init(text: error.description)), clip: nil)
    }
  }
}
