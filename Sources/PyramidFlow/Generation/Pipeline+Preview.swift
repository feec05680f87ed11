import Clips
import Models
import Tensors

extension Pipeline {
  /// The longest side of a latent that is decoded for a preview.
  private static let previewSide = 40

  /// Decodes a finished latent frame small and by itself, as if a clip began with it: quick, and less sharp than the clip.
  ///
  /// The VAE is opened for it alone, so that its transformed kernels do not stay in memory beside the transformer.
  ///
  /// - Parameter frame: its index in the clip.
  func preview(of latent: Tensor, frame: Int) throws -> Clip {
    var input = parts.family.latentNormalization.decoderInput(latent, frame: frame)
    while max(input.shape[2], input.shape[3]) > Self.previewSide { input = Resampling.halved(input) }
    return try decode(input, with: parts.vae(), tiling: CausalVideoVAE.Tiling(tileSize: nil))
  }
}
