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

  /// Computes a flow of the given shape for every sample from image [samples · image tokens, width].
  func callAsFunction(
    _ image: Tensor, condition: Tensor, layout: BatchLayout, shape: Shape,
    observer: (any ActivationObserver)?, in context: KernelContext
  ) throws -> [Tensor] {
    let rows = layout.imageRows
    let normed = try modulation(condition, in: context)[0].normalized(image, rows: rows)
    try observer?.observe("norm_out", 0, .image, normed, rows: rows)
    let projected = try projection(normed, in: context)
    try observer?.observe("proj_out", 0, .image, projected, rows: rows)
    let predicted = layout.lastClipTokenCount
    return rows.map {
      Patches.latent(
        projected.rows($0.upperBound - predicted..<$0.upperBound), shape: shape, order: .pixelsFirst)
    }
  }
}
