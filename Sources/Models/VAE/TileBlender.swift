import Tensors

/// A blender of tiles, which come row by row from the top left: each is blended with the one above and the one to its
/// left, and its finished part is cut out (`tiled_decode`, `blend_v`, `blend_h`).
///
/// As in the official code, a tile is blended in place before its neighbours blend with it, so the order matters.
struct TileBlender {
  private let step: Int, blend: Int
  /// The parts of earlier tiles that later ones blend with: the lowest rows of the tiles above and of those in this row
  /// so far, and the last columns of the tile to the left.
  private var above: [Tensor] = [], current: [Tensor] = []
  private var previous: Tensor?
  private var top = 0, left = 0

  init(step: Int, blend: Int) {
    self.step = step
    self.blend = blend
  }

  /// Adds the next tile and returns the part of it that no later tile covers.
  mutating func add(_ tile: Tensor, isFirstInRow: Bool) -> ClipRegion {
    if isFirstInRow, !current.isEmpty {
      above = current
      current = []
      previous = nil
      top += step
      left = 0
    }
    if !above.isEmpty { blendVertically(above[current.count], into: tile) }
    if let previous { blendHorizontally(previous, into: tile) }
    let (height, width) = (tile.shape[1], tile.shape[2])
    current.append(tile.cropped(max(0, height - blend)..<height, 0..<width))
    previous = tile.cropped(0..<height, max(0, width - blend)..<width)
    defer { left += step }
    return ClipRegion(
      values: tile.cropped(0..<min(step, height), 0..<min(step, width)), top: top, left: left)
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
}
