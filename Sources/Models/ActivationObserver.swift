import Tensors

/// Whose rows an observed activation holds.
public enum ObservedStream: Equatable, Sendable {
  /// One row a sample.
  case samples
  /// Text tokens, without padding.
  case text
  /// Image tokens.
  case image
  /// Text tokens, then image tokens.
  case textThenImage(textCounts: [Int])
}

/// Is shown what a model's modules give, named as in the official implementation.
public protocol ActivationObserver: AnyObject {
  /// Shows one output of a module, one tensor [rows, width] a sample. The tensors are valid during the call only.
  func observe(module: String, output: Int, stream: ObservedStream, samples: [Tensor])
}
