import Tensors

/// Whose rows an observed activation holds.
package enum ObservedStream: Equatable, Sendable {
  /// One row a sample.
  case samples
  /// Text tokens, without padding.
  case text
  /// Image tokens.
  case image
  /// Text tokens, then image tokens.
  case textThenImage(textCounts: [Int])
}
