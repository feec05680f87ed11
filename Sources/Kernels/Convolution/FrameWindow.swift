import CKernelLoops
import Tensors

/// Frames preceded by remembered ones, all in f32 or, with two numbers packed into each element, all in bf16.
struct FrameWindow {
  private let previous: ArraySlice<Tensor>
  private let x: Tensor
  /// The number of frames that came before x, remembered or not.
  let earlierCount: Int

  /// Puts remembered frames in front of others.
  ///
  /// - Parameter length: the most remembered frames to use.
  init(_ x: Tensor, after memory: TemporalContext?, length: Int) {
    previous = (memory?.frames ?? []).suffix(length)
    earlierCount = memory?.earlierCount ?? 0
    self.x = x
  }

  /// The number of frames, remembered ones included.
  var count: Int { previous.count + x.shape[0] }

  /// One frame.
  subscript(frame: Int) -> Tensor {
    frame < previous.count
      ? previous[previous.startIndex + frame] : x.rows(frame - previous.count..<frame - previous.count + 1)
  }

  /// Returns all frames in one tensor.
  func joined() -> Tensor { previous.isEmpty ? x : .concatenated(previous + [x]) }

  /// Rounds frames [time, height, width, channels] to bf16: [time, half as many elements].
  static func rounded(_ x: Tensor) -> Tensor {
    let size = x.count / max(x.shape[0], 1)
    let result = Tensor([x.shape[0], (size + 1) / 2])
    for frame in 0..<x.shape[0] {
      let (from, to) = (x.rows(frame..<frame + 1).address, result.rows(frame..<frame + 1).address)
      parallelRows(size) { part in
        bb_round_bfloat16(
          from.assumingMemoryBound(to: Float.self) + part.lowerBound,
          to.assumingMemoryBound(to: UInt16.self) + part.lowerBound, part.count)
      }
    }
    return result
  }
}
