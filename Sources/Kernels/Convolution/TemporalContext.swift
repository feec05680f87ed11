import CKernelLoops
import Tensors

/// The last two input frames of a convolution that looks back in time, stored in bf16 if its products are in bf16.
package final class TemporalContext {
  private static let length = 2

  /// The frames, oldest first; a rounded frame packs two bf16 numbers into each element.
  private(set) var frames: [Tensor] = []

  /// Creates a context without frames.
  package init() {}

  /// The number of remembered frames.
  package var count: Int { frames.count }

  /// Copies the last frames of x [time, height, width, channels]; the memory of forgotten frames is reused.
  func remember(_ x: Tensor, isRounded: Bool) {
    let lines = x.shape[1]
    for index in max(0, x.shape[0] - Self.length)..<x.shape[0] {
      let source = x.rows(index..<index + 1)
      let size = source.count / max(lines, 1)
      let slot =
        count == Self.length
        ? frames.removeFirst() : Tensor(isRounded ? [(source.count + 1) / 2] : source.shape, isLasting: true)
      let (from, to) = (source.address, slot.address)
      parallelRows(lines) { part in
        let (start, count) = (part.lowerBound * size, part.count * size)
        if isRounded {
          bb_round_bfloat16(
            (from + start * 4).assumingMemoryBound(to: Float.self),
            (to + start * 2).assumingMemoryBound(to: UInt16.self), count)
        } else {
          (to + start * 4).copyMemory(from: from + start * 4, byteCount: count * 4)
        }
      }
      frames.append(slot)
    }
  }
}
