import Foundation
import JSON
import Tensors

/// The mode of a comparison: from the golden's inputs at every step, or only from those that the run started from.
public enum ComparisonMode: String, Codable, CaseIterable, Sendable {
  /// Every step takes the golden's inputs, so errors do not accumulate.
  case teacherForced = "teacher-forced"
  /// Only tokens or embeddings and noise are the golden's, as in a user's run.
  case freeRunning = "free-running"
}
