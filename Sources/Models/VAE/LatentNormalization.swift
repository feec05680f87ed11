import Tensors

/// The constants that bring latents to unit scale: one pair for the first frame (an image), another for later ones
/// (video).
package struct LatentNormalization: Equatable, Sendable {
  let imageShift: Float, imageScale: Float
  let videoShift: Float, videoScale: Float

  /// The constants of the miniFLUX models (`pyramid_dit_for_video_gen_pipeline.py`).
  package static let miniFLUX = LatentNormalization(imageShift: -0.04, imageScale: Float(1 / 1.8726))
  /// The constants of the SD3 models.
  package static let sd3 = LatentNormalization(imageShift: 0.1490, imageScale: Float(1 / 1.8415))

  private init(imageShift: Float, imageScale: Float) {
    self.imageShift = imageShift
    self.imageScale = imageScale
    // Both families share the constants of video.
    videoShift = -0.2343
    videoScale = Float(1 / 3.0986)
  }

  /// Returns a sample at unit scale of an encoded image's distribution (`generate_i2v`); all [channels, 1, height,
  /// width].
  package func imageLatent(mean: Tensor, deviation: Tensor, noise: Tensor) -> Tensor {
    let sample = mean.combined(with: deviation.combined(with: noise, *), +)
    return sample.map { ($0 - imageShift) * imageScale }
  }

  /// Joins the latents of all frames, [channels, 1, height, width] each, and undoes the normalisation
  /// (`decode_latent`) → [channels, T, height, width].
  package func decoderInput(_ latents: [Tensor]) -> Tensor {
    let shape = latents[0].shape
    let result = Tensor([shape[0], latents.count, shape[2], shape[3]])
    let pixels = shape[2] * shape[3]
    for (index, latent) in latents.enumerated() {
      let input = decoderInput(latent, frame: index)
      for channel in 0..<shape[0] {
        let target = (channel * latents.count + index) * pixels
        _ = result.elements[target...].update(
          fromContentsOf: input.elements[channel * pixels..<(channel + 1) * pixels])
      }
    }
    return result
  }

  /// Undoes the normalisation of one frame's latent, which is the clip's first frame or a later one.
  package func decoderInput(_ latent: Tensor, frame index: Int) -> Tensor {
    let (shift, scale) = index == 0 ? (imageShift, imageScale) : (videoShift, videoScale)
    return latent.map { $0 / scale + shift }
  }
}
