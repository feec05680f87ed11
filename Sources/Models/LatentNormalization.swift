import Tensors

/// How latents are brought to unit scale: the first frame as an image, later ones as video, with other constants.
public struct LatentNormalization: Equatable, Sendable {
  let imageShift: Float, imageScale: Float
  let videoShift: Float, videoScale: Float

  /// The constants of the miniFLUX models (`pyramid_dit_for_video_gen_pipeline.py`).
  public static let miniFLUX = LatentNormalization(
    imageShift: -0.04, imageScale: Float(1 / 1.8726), videoShift: -0.2343, videoScale: Float(1 / 3.0986))

  /// Joins the latents of all units, [channels, 1, height, width] each, and undoes the normalisation
  /// (`decode_latent`) → [channels, T, height, width].
  public func decoderInput(_ units: [Tensor]) -> Tensor {
    let shape = units[0].shape
    let result = Tensor([shape[0], units.count, shape[2], shape[3]])
    let pixels = shape[2] * shape[3]
    for (index, unit) in units.enumerated() {
      let (shift, scale) = index == 0 ? (imageShift, imageScale) : (videoShift, videoScale)
      for channel in 0..<shape[0] {
        for pixel in 0..<pixels {
          result.elements[(channel * units.count + index) * pixels + pixel] =
            unit.elements[channel * pixels + pixel] / scale + shift
        }
      }
    }
    return result
  }
}
