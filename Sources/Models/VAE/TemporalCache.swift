import Kernels
import Tensors

/// The earlier frames that convolutions look back at: the working state of one encoding or decoding.
final class TemporalCache {
  private var memories: [String: TemporalContext] = [:]

  /// The remembered frames of a convolution, by its full name.
  subscript(convolution: String) -> TemporalContext {
    if let known = memories[convolution] { return known }
    let memory = TemporalContext()
    memories[convolution] = memory
    return memory
  }
}
