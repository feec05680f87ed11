import Tensors

/// Halving and doubling of latents [channels, frames, height, width].
package enum Resampling {
  /// Returns the latent at half the height and width, bilinear (`F.interpolate`, corners not aligned): each value is
  /// the mean of four pixels.
  ///
  /// Height and width are even: sizes are checked to be multiples of 64 pixels.
  package static func halved(_ latent: Tensor) -> Tensor {
    let (height, width) = (latent.shape[2], latent.shape[3])
    let result = Tensor([latent.shape[0], latent.shape[1], height / 2, width / 2])
    for plane in 0..<latent.shape[0] * latent.shape[1] {
      for y in 0..<height / 2 {
        for x in 0..<width / 2 {
          let source = (plane * height + 2 * y) * width + 2 * x
          let upper = 0.5 * latent.elements[source] + 0.5 * latent.elements[source + 1]
          let lower = 0.5 * latent.elements[source + width] + 0.5 * latent.elements[source + width + 1]
          result.elements[(plane * (height / 2) + y) * (width / 2) + x] = 0.5 * upper + 0.5 * lower
        }
      }
    }
    return result
  }

  /// Returns the latent at twice the height and width, every pixel repeated four times (nearest neighbour).
  static func doubled(_ latent: Tensor) -> Tensor {
    let (height, width) = (latent.shape[2], latent.shape[3])
    let result = Tensor([latent.shape[0], latent.shape[1], 2 * height, 2 * width])
    for plane in 0..<latent.shape[0] * latent.shape[1] {
      for y in 0..<2 * height {
        for x in 0..<2 * width {
          result.elements[(plane * 2 * height + y) * 2 * width + x] =
            latent.elements[(plane * height + y / 2) * width + x / 2]
        }
      }
    }
    return result
  }

  /// Returns the latent at every stage, coarse to fine (`get_pyramid_latent`).
  static func pyramid(_ latent: Tensor) -> [Tensor] {
    var stages = [latent]
    for _ in 1..<PyramidFlowSchedule.stageCount { stages.insert(halved(stages[0]), at: 0) }
    return stages
  }
}
