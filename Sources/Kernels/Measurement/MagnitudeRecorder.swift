import Tensors

/// The largest magnitudes that products read or wrote, by the name of their weight.
public final class MagnitudeRecorder {
  /// Infinite where a value was no finite number.
  public private(set) var largest: [String: Float] = [:]

  /// Nothing seen yet.
  public init() {}

  func record(_ name: String, _ tensors: Tensor...) {
    for tensor in tensors {
      let magnitude = tensor.elements.reduce(Float(0)) { $1.isNaN ? .infinity : max($0, $1.magnitude) }
      largest[name] = max(largest[name] ?? 0, magnitude)
    }
  }
}
