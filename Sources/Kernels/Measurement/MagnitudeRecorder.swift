import Tensors

/// A recorder of the largest magnitudes that products read or write, by the name of their weight.
package final class MagnitudeRecorder {
  /// The largest magnitude per weight; infinite if any value was NaN or infinity.
  package private(set) var largest: [String: Float] = [:]

  /// Creates an empty recorder.
  package init() {}

  func record(_ name: String, _ tensors: Tensor...) {
    for tensor in tensors {
      let magnitude = tensor.elements.reduce(Float(0)) { $1.isNaN ? .infinity : max($0, $1.magnitude) }
      largest[name] = max(largest[name] ?? 0, magnitude)
    }
  }
}
