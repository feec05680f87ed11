import Checkpoints
import Files
import PyramidFlow

extension VideoModel {
  /// Throws unless all of these files may go out with the model: reports that are evidence for it, and cards (`.md`) that say
  /// what these reports say.
  public nonisolated func requireEvidence(_ paths: [String]) throws {
    let reports = try paths.filter { !Self.isCard($0) }.map(EvidenceReport.init(at:))
    for report in reports { try ReportCheck(report, of: self).requireEvidence() }
    for path in paths where Self.isCard(path) {
      try ModelCard.requireSound(at: path, of: self, reports: reports)
    }
  }

  /// What the evidence that lies beside the model says, as lines of text.
  public nonisolated var evidenceLines: [String] { evidenceLines(native.evidence) }

  /// What files of evidence say of the model, as lines of text.
  public nonisolated func evidenceLines(_ paths: [String]) -> [String] {
    let reports = paths.filter { !Self.isCard($0) }.compactMap { try? EvidenceReport(at: $0) }
    var checks: [ReportCheck] = []
    let lines = paths.flatMap { path -> [String] in
      do {
        guard Self.isCard(path) else {
          checks.append(try ReportCheck(EvidenceReport(at: path), of: self))
          return checks.last?.lines ?? []
        }
        try ModelCard.requireSound(at: path, of: self, reports: reports)
        return ["\(FileSystem.lastComponent(path)): a card of this model and its reports"]
      } catch {
        return ["\(FileSystem.lastComponent(path)): \(error)"]
      }
    }
    return lines + ReportCheck.notes(checks, of: self)
  }

  /// Returns the reports and cards of a folder, or the file itself.
  public nonisolated static func evidence(at path: String) -> [String] {
    guard FileSystem.isFolder(path) else { return [path] }
    return FileSystem.paths(in: path).filter { file in
      [".json", ".html", ".md"].contains(where: file.hasSuffix)
    }
  }

  private static func isCard(_ path: String) -> Bool { path.hasSuffix(".md") }
}
