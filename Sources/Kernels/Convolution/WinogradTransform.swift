/// Winograd's minimal filtering F(2×4×4, 3×3×3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
/// 2016), which multiplies six times less often than the definition.
///
/// Overlapping tiles of 6×6 pixels and the kernels are transformed, multiplied position by position, and transformed back
/// to 4×4 pixels. In time, F(2, 3) makes two frames of four in the same way.
enum WinogradTransform {
  /// The number of frames that are multiplied for two.
  static let times = 4
  /// The number of pixels that a tile yields per side, and of a tile's own.
  static let size = 4, tile = size + 2
  /// The number of products of matrices for each of the frames.
  static let positions = tile * tile
}
