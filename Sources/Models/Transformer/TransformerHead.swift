import Kernels
import Tensors

/// The last layers of both transformers: from the image stream to the flow of the last clip.
struct TransformerHead {
  private let modulation: Modulation
  private let projection: Linear

  init(width: Int, outputWidth: Int, _ scope: WeightScope) throws {
    modulation = try Modulation(.continuous, width: width, scope.scope("norm_out"))
    projection = try scope.linear("proj_out", width, outputWidth)
  }

  /// Computes a flow of the given shape for every sample from rows of the image stream, whose last are those of the last
  /// clip.
  func callAsFunction(
    _ image: Tensor, rows: [Range<Int>], condition: Tensor, layout: BatchLayout, shape: Shape,
    observer: (any ActivationObserver)?, in context: KernelContext
  ) throws -> [Tensor] {
    let normed = try modulation(condition, in: context)[0].normalized(image, rows: rows)
    let places = BatchLayout.runs(rows.map(\.count))
    try observer?.observe("norm_out", 0, .image, normed, rows: places)
    let projected = try projection(normed, in: context)
    try observer?.observe("proj_out", 0, .image, projected, rows: places)
    let predicted = layout.lastClipTokenCount
    return places.map {
      Patches.latent(
        projected.rows($0.upperBound - predicted..<$0.upperBound), shape: shape, order: .pixelsFirst)
    }
  }
}
