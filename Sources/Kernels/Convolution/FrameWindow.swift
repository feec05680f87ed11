import CKernelLoops
import Tensors

/// Frames [time, height, width, channels] preceded by remembered ones.
struct FrameWindow {
  private let previous: ArraySlice<Tensor>
  private let x: Tensor

  /// Puts remembered frames in front of others.
  ///
  /// - Parameter length: the most remembered frames to use.
  init(_ x: Tensor, after memory: TemporalContext?, length: Int) {
    previous = (memory?.frames ?? []).suffix(length)
    self.x = x
  }

  /// The number of frames, remembered ones included.
  var count: Int { previous.count + x.shape[0] }

  /// The number of remembered frames.
  var rememberedCount: Int { previous.count }

  /// One frame, [1, height, width, channels]; a remembered frame rounded to bf16 does not have that shape.
  subscript(frame: Int) -> Tensor {
    frame < previous.count
      ? previous[previous.startIndex + frame] : x.rows(frame - previous.count..<frame - previous.count + 1)
  }

  /// Returns all frames in one tensor; no remembered frame may be rounded to bf16.
  func joined() -> Tensor { previous.isEmpty ? x : .concatenated(previous + [x]) }
}
