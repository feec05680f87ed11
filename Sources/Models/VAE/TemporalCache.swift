import Kernels
import Tensors

/// What the convolutions remember of the frames before: the working state of one decoding.
final class TemporalCache {
  private var memories: [String: TemporalContext] = [:]

  /// The memory of a convolution.
  subscript(convolution: String) -> TemporalContext {
    if let known = memories[convolution] { return known }
    let memory = TemporalContext()
    memories[convolution] = memory
    return memory
  }
}
