import JSON
import Tensors

/// A part of a model that is not as it was written.
package struct IntegrityIssue: Equatable, Sendable {
  /// The path of the file.
  package let file: String
  /// The tensor, or nil when the damage is outside of tensors.
  package let tensor: String?
  /// The fault that was found.
  package let why: String
}
