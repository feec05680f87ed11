import Tensors

/// The last two input frames of a convolution that looks back in time, in the type that it reads.
package final class TemporalContext {
  private static let length = 2

  /// The frames, oldest first.
  private(set) var frames: [Tensor] = []
  /// The number of all frames so far.
  package private(set) var earlierCount = 0

  /// Creates a context without frames.
  package init() {}

  /// The number of remembered frames.
  package var count: Int { frames.count }

  /// Copies the last frames of x, whose first extent is time; the memory of forgotten frames is reused.
  func remember(_ x: Tensor) {
    earlierCount += x.shape[0]
    for index in max(0, x.shape[0] - Self.length)..<x.shape[0] {
      let source = x.rows(index..<index + 1)
      let slot = count == Self.length ? frames.removeFirst() : Tensor(source.shape, isLasting: true)
      let (from, to) = (source.address, slot.address)
      parallelRows(source.count) { part in
        let start = part.lowerBound * MemoryLayout<Float>.stride
        (to + start).copyMemory(from: from + start, byteCount: part.count * MemoryLayout<Float>.stride)
      }
      frames.append(slot)
    }
  }
}
