import Files

extension ParityReport {
  /// A part of a verification of one golden, whose calls several machines share.
  public struct Part: Codable, Equatable, Sendable {
    /// The number of the part, from 1, and the number of parts.
    public let index: Int, count: Int
    /// The name of the golden's file or folder.
    public let golden: String
    /// The comparisons that were asked for.
    package let modes: [ComparisonMode]
    /// The place of every compared tensor among the calls of the whole verification.
    package internal(set) var slots: [Int] = []

    /// Creates a part without tensors.
    package init(index: Int, of count: Int, golden: String, modes: Set<ComparisonMode>) {
      (self.index, self.count) = (index, count)
      self.golden = golden
      self.modes = ComparisonMode.allCases.filter(modes.contains)
    }
  }

  /// The most parts, and the most calls of one.
  private static let mostParts = 100_000, mostCalls = 1_000_000_000

  /// Creates the report that one verification of a golden would have given from those of its parts, in any order.
  ///
  /// - Throws: `BenbenError` when they are of different goldens, models, transformers, versions, commands, modes or approximations, not
  ///   every part is there exactly once, or nothing was compared.
  package init(merging parts: [(path: String, report: ParityReport)]) throws {
    guard let first = parts.first else { preconditionFailure("nothing to merge") }
    let whole = first.report
    // A part without a call ran no transformer.
    let variant = parts.lazy.compactMap(\.report.variant).first
    var byIndex: [Int: (path: String, report: ParityReport)] = [:]
    for (path, report) in parts {
      func fault(_ why: String) -> BenbenError {
        BenbenError(.malformed, "the reports do not belong together", at: path, because: why)
      }
      guard let part = report.part, let reference = whole.part else {
        throw fault("some are parts of a verification, and some are whole")
      }
      guard part.slots.count == report.tensors.count, 1...Self.mostParts ~= part.count,
        1...part.count ~= part.index, 0...Self.mostCalls ~= report.callsCompared
      else { throw fault("it is no sound part of a verification") }
      guard part.count == reference.count else {
        throw fault("it is one of \(part.count) parts, \(first.path) one of \(reference.count)")
      }
      guard report.golden == whole.golden else { throw fault("it is of another golden than \(first.path)") }
      guard report.model == whole.model else { throw fault("it is of another model than \(first.path)") }
      guard report.approximation == whole.approximation, report.variant ?? variant == variant,
        part.modes == reference.modes,
        report.run?.version == whole.run?.version, report.run?.command == whole.run?.command
      else {
        throw fault(
          "its version, command, transformer, modes or approximation are others than those of \(first.path)")
      }
      if let known = byIndex.updateValue((path, report), forKey: part.index) {
        throw fault("part \(part.index) is in \(known.path), too")
      }
    }
    let count = whole.part?.count ?? 0
    let reports = (1...max(count, 1)).compactMap { byIndex[$0]?.report }
    guard reports.count == count else {
      let missing = (1...count).first { byIndex[$0] == nil } ?? 0
      let others = count - reports.count - 1
      throw BenbenError(
        .missing, "the verification is not complete", at: "part \(missing) of \(count)",
        because: "no report has it" + (others == 0 ? "" : ", nor \(others) others"),
        remedies: ["Run the parts that are missing, and merge all of them."])
    }
    self.init(golden: whole.golden, model: whole.model)
    run = RunSubject(joining: reports.compactMap(\.run))
    approximation = whole.approximation
    self.variant = variant
    // Tensors of one slot are all in one part, in order.
    let placed = reports.flatMap { zip($0.part?.slots ?? [], $0.tensors) }.enumerated()
    tensors = placed.sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }.map(\.element.1)
    clips = ComparisonMode.allCases.flatMap { mode in
      reports.flatMap { $0.clips.filter { $0.mode == mode } }
    }
    callsCompared = reports.reduce(0) { $0 + $1.callsCompared }
    guard !isEmpty else {
      throw BenbenError(
        .malformed, "nothing was compared", at: whole.part?.golden ?? "",
        because: "the golden holds nothing that this mode computes")
    }
  }
}

extension RunSubject {
  /// Creates the subject of several runs of one version; nil of none.
  ///
  /// Where they differ, all are named.
  fileprivate init?(joining runs: [RunSubject]) {
    guard let first = runs.first else { return nil }
    func all(_ value: (RunSubject) -> String) -> String {
      var seen: Set<String> = []
      return runs.map(value).filter { seen.insert($0).inserted }.joined(separator: " and ")
    }
    self.init(
      version: first.version, commit: runs.allSatisfy { $0.commit == first.commit } ? first.commit : nil,
      mathLibrary: all(\.mathLibrary), instructionSet: all(\.instructionSet),
      threads: runs.map(\.threads).max() ?? first.threads, command: first.command)
  }
}
