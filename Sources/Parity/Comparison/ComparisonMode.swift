import Foundation
import JSON
import Tensors

/// Whether a comparison was given the golden's inputs or only what the run started from.
public enum ComparisonMode: String, Codable, CaseIterable, Sendable {
  /// Every step is given the golden's inputs, so errors do not pile up.
  case teacherForced = "teacher-forced"
  /// Only tokens or embeddings and noise are given: what a user sees.
  case freeRunning = "free-running"
}
