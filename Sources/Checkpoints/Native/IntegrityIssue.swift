import JSON
import Tensors

/// Something in a model that is not as it was written.
public struct IntegrityIssue: Equatable, Sendable {
  /// The file.
  public let file: String
  /// The tensor, or nil when the damage is outside of tensors.
  public let tensor: String?
  /// What was found.
  public let why: String
}
