import Tensors

/// Puts decoded tiles together, row by row from the top left, blending each with the one above and the one to its left
/// (`tiled_decode`, `blend_v`, `blend_h`).
///
/// As in the official code a tile is blended in place before its neighbours blend with it, so the order matters.
struct TileMosaic {
  /// The clip so far, [frames, height, width, channels].
  let result: Tensor
  private let step: Int, blend: Int
  private var above: [Tensor] = []
  private var current: [Tensor] = []
  private var top = 0, left = 0

  init(frames: Int, height: Int, width: Int, channels: Int = 3, step: Int, blend: Int) {
    result = Tensor([frames, height, width, channels])
    self.step = step
    self.blend = blend
  }

  mutating func add(_ tile: Tensor, isFirstInRow: Bool) {
    if isFirstInRow, !current.isEmpty {
      above = current
      current = []
      top += step
      left = 0
    }
    if !above.isEmpty { blendVertically(above[current.count], into: tile) }
    if let previous = current.last { blendHorizontally(previous, into: tile) }
    current.append(tile)
    copy(tile)
    left += step
  }

  private func blendVertically(_ upper: Tensor, into tile: Tensor) {
    let extent = min(upper.shape[1], tile.shape[1], blend)
    let rowCount = tile.shape[2] * tile.shape[3]
    for frame in 0..<tile.shape[0] {
      for y in 0..<extent {
        let weight = Float(Double(y) / Double(extent))
        let inverse = Float(1 - Double(y) / Double(extent))
        let source = (frame * upper.shape[1] + upper.shape[1] - extent + y) * rowCount
        let target = (frame * tile.shape[1] + y) * rowCount
        for index in 0..<rowCount {
          tile.elements[target + index] =
            upper.elements[source + index] * inverse + tile.elements[target + index] * weight
        }
      }
    }
  }

  private func blendHorizontally(_ previous: Tensor, into tile: Tensor) {
    let extent = min(previous.shape[2], tile.shape[2], blend)
    let channels = tile.shape[3]
    for row in 0..<tile.shape[0] * tile.shape[1] {
      for x in 0..<extent {
        let weight = Float(Double(x) / Double(extent))
        let inverse = Float(1 - Double(x) / Double(extent))
        let source = (row * previous.shape[2] + previous.shape[2] - extent + x) * channels
        let target = (row * tile.shape[2] + x) * channels
        for channel in 0..<channels {
          tile.elements[target + channel] =
            previous.elements[source + channel] * inverse + tile.elements[target + channel] * weight
        }
      }
    }
  }

  /// Copies the part of a tile that no later tile covers.
  private func copy(_ tile: Tensor) {
    let (height, width, channels) = (result.shape[1], result.shape[2], result.shape[3])
    let rows = min(step, tile.shape[1], height - top)
    let columns = min(step, tile.shape[2], width - left)
    for frame in 0..<tile.shape[0] {
      for y in 0..<rows {
        let source = (frame * tile.shape[1] + y) * tile.shape[2] * channels
        let target = ((frame * height + top + y) * width + left) * channels
        _ = result.elements[target...].update(
          fromContentsOf: tile.elements[source..<source + columns * channels])
      }
    }
  }
}
