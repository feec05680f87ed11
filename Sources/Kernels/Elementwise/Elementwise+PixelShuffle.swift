import CKernelLoops
import Tensors

extension Elementwise {
  /// Rearranges groups of four channels into squares of pixels: [1, height, width, 4c] → [1, 2·height, 2·width, c].
  package static func pixelShuffle(_ x: Tensor, into result: Tensor) {
    let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3] / 4)
    precondition(x.shape[0] == 1 && result.shape == [1, 2 * height, 2 * width, channels])
    guard let source = x.elements.baseAddress, let target = result.elements.baseAddress else { return }
    parallelRows(height) { rows in
      for row in rows {
        for column in 0..<width {
          let upper = target + (4 * row * width + 2 * column) * channels
          bb_deinterleave4(
            source + (row * width + column) * 4 * channels, upper, upper + 2 * width * channels, channels)
        }
      }
    }
  }

  /// Rearranges pairs of channels into two frames: [1, height, width, 2c] → [2, height, width, c].
  package static func spreadInTime(_ x: Tensor, into result: Tensor) {
    let (height, width, channels) = (x.shape[1], x.shape[2], x.shape[3] / 2)
    precondition(x.shape[0] == 1 && result.shape == [2, height, width, channels])
    guard let source = x.elements.baseAddress, let target = result.elements.baseAddress else { return }
    parallelRows(height) { rows in
      let start = rows.lowerBound * width * channels
      bb_deinterleave2(
        source + 2 * start, target + start, target + start + height * width * channels,
        rows.count * width * channels)
    }
  }
}
