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
    if !above.isEmpty { fade(from: above[current.count], into: tile, along: 1) }
    if let previous { fade(from: previous, into: tile, along: 2) }
    let (height, width) = (tile.shape[1], tile.shape[2])
    current.append(tile.cropped(max(0, height - blend)..<height, 0..<width))
    previous = tile.cropped(0..<height, max(0, width - blend)..<width)
    defer { left += step }
    return ClipRegion(
      values: tile.cropped(0..<min(step, height), 0..<min(step, width)), top: top, left: left)
  }

  /// Fades from the end of what lies before a tile [frames, height, width, channels] to its beginning, along an axis.
  private func fade(from before: Tensor, into tile: Tensor, along axis: Int) {
    let (end, size) = (before.shape[axis], tile.shape[axis])
    let extent = min(end, size, blend)
    let count = tile.shape[(axis + 1)...].reduce(1, *)
    for outer in 0..<tile.shape[..<axis].reduce(1, *) {
      for place in 0..<extent {
        let weight = Float(Double(place) / Double(extent))
        let inverse = Float(1 - Double(place) / Double(extent))
        let source = (outer * end + end - extent + place) * count
        let target = (outer * size + place) * count
        for index in 0..<count {
          tile.elements[target + index] =
            before.elements[source + index] * inverse + tile.elements[target + index] * weight
        }
      }
    }
  }
}
