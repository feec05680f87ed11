import CKernelLoops
import Tensors

extension Elementwise {
  /// Rearranges groups of four channels into squares of pixels: [time, height, width, 4c] → [time, 2·height, 2·width, c].
  package static func pixelShuffle(_ x: Tensor, into result: Tensor) {
    let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3] / 4)
    precondition(result.shape == [x.shape[0], 2 * height, 2 * width, channels])
    guard let source = x.elements.baseAddress, let target = result.elements.baseAddress else { return }
    parallelRows(x.shape[0] * height) { rows in
      for row in rows {
        for column in 0..<width {
          let upper = target + (4 * row * width + 2 * column) * channels
          bb_deinterleave4(
            source + (row * width + column) * 4 * channels, upper, upper + 2 * width * channels, channels)
        }
      }
    }
  }

  /// Rearranges pairs of channels into two frames: [time, height, width, 2c] → [2·time, height, width, c].
  package static func spreadInTime(_ x: Tensor, into result: Tensor) {
    let (frame, channels) = (x.shape[1] * x.shape[2], x.shape[3] / 2)
    precondition(result.shape == [2 * x.shape[0], x.shape[1], x.shape[2], channels])
    guard let source = x.elements.baseAddress, let target = result.elements.baseAddress else { return }
    for time in 0..<x.shape[0] {
      parallelRows(frame) { pixels in
        let start = 2 * time * frame * channels + pixels.lowerBound * channels
        bb_deinterleave2(
          source + 2 * (time * frame + pixels.lowerBound) * channels, target + start,
          target + start + frame * channels, pixels.count * channels)
      }
    }
  }
}
