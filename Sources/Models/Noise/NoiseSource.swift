import Tensors

/// A source of a run's noise: drawn from a seed, or recorded in a golden trace.
package protocol NoiseSource {
  /// Returns independent normal noise [channels, frames, height, width] that the whole clip starts from.
  func initial(shape: Shape) throws -> Tensor
  /// Returns independent normal noise [channels, 1, height, width] for the sample of an encoded image; drawn after the
  /// initial noise.
  func posterior(shape: Shape) throws -> Tensor
  /// Returns noise [channels, 1, height, width] correlated inside blocks of four pixels, added when a stage starts.
  func block(unit: Int, stage: Int, shape: Shape) throws -> Tensor
}
