import CKernelLoops
import Tensors

/// Frames [time, height, width, channels] and remembered ones before them.
struct FrameWindow {
  private let previous: ArraySlice<Tensor>
  private let x: Tensor

  /// - Parameter length: how many remembered frames count, of those there are.
  init(_ x: Tensor, after memory: TemporalContext?, length: Int) {
    previous = (memory?.frames ?? []).suffix(length)
    self.x = x
  }

  /// How many frames they are.
  var count: Int { previous.count + x.shape[0] }

  /// How many of them are remembered ones.
  var rememberedCount: Int { previous.count }

  /// One of them, [1, height, width, channels]; rounded ones have no such shape.
  subscript(frame: Int) -> Tensor {
    frame < previous.count
      ? previous[previous.startIndex + frame] : x.rows(frame - previous.count..<frame - previous.count + 1)
  }

  /// All of them in one tensor, unless some are rounded.
  func joined() -> Tensor { previous.isEmpty ? x : .concatenated(previous + [x]) }
}
