import Tensors

/// The SD3 transformer's stored table of positions, of which the middle is used (`PatchEmbed3D`, `cropped_pos_embed`).
struct SinCosPositions {
  /// The stored table, [1, side·side, width].
  private let table: Weight
  private let side: Int

  init(side: Int, width: Int, _ scope: WeightScope) throws {
    table = try scope.weight("pos_embed", [1, side * side, width], use: .table)
    self.side = side
  }

  /// Returns one row for every token of the clips, coarse to fine: [tokens, width].
  ///
  /// A coarse clip's positions are those of the finest, downsampled bilinearly. The finest must fit into the table.
  func callAsFunction(_ clips: [ClipExtents]) -> Tensor {
    guard let finest = clips.last else { return Tensor([0, table.shape[2]]) }
    let (top, left) = ((side - finest.height) / 2, (side - finest.width) / 2)
    let crop = table.rows(
      (top..<top + finest.height).flatMap { row in (left..<left + finest.width).map { row * side + $0 } })
    return .concatenated(
      clips.flatMap { clip in
        let positions = Self.resized(crop, from: finest, to: clip)
        return Array(repeating: positions, count: clip.frames)
      })
  }

  /// Resizes [height·width, features] of one frame to the size of another (`F.interpolate`, bilinear, corners not
  /// aligned).
  private static func resized(_ x: Tensor, from source: ClipExtents, to target: ClipExtents) -> Tensor {
    if source.height == target.height, source.width == target.width { return x }
    let features = x.shape[1]
    let result = Tensor([target.tokensPerFrame, features])
    let rows = LinearResampling.taps(source.height, to: target.height)
    let columns = LinearResampling.taps(source.width, to: target.width)
    for (y, row) in rows.enumerated() {
      for (x0, column) in columns.enumerated() {
        func at(_ y: Int, _ x0: Int) -> Int { (y * source.width + x0) * features }
        let (upperLeft, upperRight) = (at(row.lower, column.lower), at(row.lower, column.upper))
        let (lowerLeft, lowerRight) = (at(row.upper, column.lower), at(row.upper, column.upper))
        let out = (y * target.width + x0) * features
        for feature in 0..<features {
          let upper = column.blend(x.elements[upperLeft + feature], x.elements[upperRight + feature])
          let lower = column.blend(x.elements[lowerLeft + feature], x.elements[lowerRight + feature])
          result.elements[out + feature] = row.blend(upper, lower)
        }
      }
    }
    return result
  }
}
