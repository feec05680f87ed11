import Foundation
import Tensors

/// The rotary angles of a sequence: text at position 0, then the clips from coarse to fine.
struct RotaryPositions {
  /// The cosines and sines of the angles, [tokens, headDim/2] each.
  let cosines: Tensor, sines: Tensor

  private static let theta = 10000.0

  /// Computes the positions of `textCount` text tokens and of clips with these extents in tokens.
  ///
  /// Frames are numbered consecutively through the clips. The rows and columns of a coarse clip have the positions at
  /// which they lie on the finest grid, interpolated (`_prepare_pyramid_image_ids`). The first `known` tokens are left out.
  init(textCount: Int, clips: [ClipExtents], axes: [Int], skipping known: Int = 0) {
    let tokens = textCount + clips.reduce(0) { $0 + $1.tokenCount } - known
    let half = axes.reduce(0, +) / 2
    cosines = Tensor([tokens, half])
    sines = Tensor([tokens, half])
    var token = -known
    for _ in 0..<textCount {
      store([0, 0, 0], axes: axes, token: token)
      token += 1
    }
    guard let finest = clips.last else { return }
    var time = 0
    for clip in clips {
      let rows = Self.interpolated(finest.height, to: clip.height)
      let columns = Self.interpolated(finest.width, to: clip.width)
      for _ in 0..<clip.frames {
        for row in rows {
          for column in columns {
            store([Float(time), row, column], axes: axes, token: token)
            token += 1
          }
        }
        time += 1
      }
    }
  }

  private init(cosines: Tensor, sines: Tensor) {
    self.cosines = cosines
    self.sines = sines
  }

  /// Returns the angles of some of the tokens.
  func rows(_ rows: Range<Int>) -> RotaryPositions {
    RotaryPositions(cosines: cosines.rows(rows), sines: sines.rows(rows))
  }

  private func store(_ position: [Float], axes: [Int], token: Int) {
    if token < 0 { return }
    var index = token * cosines.shape[1]
    for (coordinate, dimensions) in zip(position, axes) {
      for pair in 0..<dimensions / 2 {
        let frequency = 1 / pow(Self.theta, Double(2 * pair) / Double(dimensions))
        let angle = Double(coordinate) * frequency
        cosines.elements[index] = Float(cos(angle))
        sines.elements[index] = Float(sin(angle))
        index += 1
      }
    }
  }

  /// Returns 0, 1, … , count−1 resampled linearly to `target` values (`F.interpolate`, linear, corners not aligned).
  static func interpolated(_ count: Int, to target: Int) -> [Float] {
    if count == target { return (0..<count).map(Float.init) }
    return LinearResampling.taps(count, to: target).map { $0.blend(Float($0.lower), Float($0.upper)) }
  }
}
