import Tensors

/// The kind of rows in an observed activation.
package enum ObservedStream: Equatable, Sendable {
  /// One row per sample.
  case samples
  /// Text tokens, without padding.
  case text
  /// Image tokens.
  case image
  /// Text tokens, then image tokens.
  case textThenImage(textCounts: [Int])
}
