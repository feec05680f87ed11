import Checkpoints
import Files
import PyramidFlow

extension VideoModel {
  /// Throws unless all of these files may go out with the model: reports that are evidence for it, and cards (`.md`).
  public nonisolated func requireEvidence(_ paths: [String]) throws {
    for path in paths {
      if path.hasSuffix(".md") {
        guard try ModelCard.isOne(path) else {
          throw BenbenError(
            .malformed, "not a model card", at: path, because: "it is none that was made here",
            remedies: ["Make one of the reports, and pack that."])
        }
        continue
      }
      try ReportCheck(EvidenceReport(at: path), of: self).requireEvidence()
    }
  }

  /// What the evidence that lies beside the model says, as lines of text.
  public nonisolated var evidenceLines: [String] {
    native.evidence.flatMap { path -> [String] in
      if path.hasSuffix(".md") { return ["\(FileSystem.lastComponent(path)): a card"] }
      do {
        return try ReportCheck(EvidenceReport(at: path), of: self).lines
      } catch {
        return ["\(FileSystem.lastComponent(path)): \(error)"]
      }
    }
  }
}
