import Files
import JSON

extension ParityReport {
  /// A part of a verification of one golden, whose calls several machines share.
  public struct Part: Codable, Equatable, Sendable {
    /// The number of the part, from 1, and the number of parts.
    public let index: Int, count: Int
    /// The place of every compared tensor among the calls of the whole verification.
    package internal(set) var slots: [Int] = []

    /// Creates a part without tensors.
    package init(index: Int, of count: Int) { (self.index, self.count) = (index, count) }
  }

  /// Creates the report that one verification of a golden would have given from those of its parts.
  ///
  /// - Throws: `BenbenError` when they are of different goldens, models, programs or approximations, or not every part is
  ///   there exactly once.
  package init(merging parts: [(path: String, report: ParityReport)]) throws {
    guard let first = parts.first, let whole = first.report.part else {
      preconditionFailure("no parts to merge")
    }
    self.init(golden: first.report.golden, model: first.report.model)
    run = first.report.run
    approximation = first.report.approximation
    var paths: [Int: String] = [:]
    for (path, report) in parts {
      func fault(_ why: String) -> BenbenError {
        BenbenError(.malformed, "the reports do not belong together", at: path, because: why)
      }
      guard let part = report.part, part.slots.count == report.tensors.count, 1...100_000 ~= part.count,
        1...part.count ~= part.index
      else {
        throw fault("it is no part of a verification, as \(first.path) is")
      }
      guard part.count == whole.count else {
        throw fault("it is one of \(part.count) parts, \(first.path) one of \(whole.count)")
      }
      guard report.golden == golden else { throw fault("it is of another golden than \(first.path)") }
      guard report.model == model else { throw fault("it is of another model than \(first.path)") }
      guard report.approximation == approximation, report.run?.version == run?.version,
        report.run?.command == run?.command
      else { throw fault("its version, approximation or command are others than those of \(first.path)") }
      if let known = paths.updateValue(path, forKey: part.index) {
        throw fault("part \(part.index) is in \(known), too")
      }
    }
    let missing = (1...whole.count).filter { paths[$0] == nil }
    guard missing.isEmpty else {
      throw BenbenError(
        .missing, "the verification is not complete",
        at: "part \(missing.map(String.init).joined(separator: ", "))",
        because: "no report has it", remedies: ["Run it, and merge all of them."])
    }
    let reports = parts.map(\.report).sorted { ($0.part?.index ?? 0) < ($1.part?.index ?? 0) }
    // Tensors of one slot are all in one part, in order.
    let placed = reports.flatMap { zip($0.part?.slots ?? [], $0.tensors) }.enumerated()
    tensors = placed.sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }.map(\.element.1)
    clips = ComparisonMode.allCases.flatMap { mode in
      reports.flatMap { $0.clips.filter { $0.mode == mode } }
    }
    callsCompared = reports.reduce(0) { $0 + $1.callsCompared }
  }
}
