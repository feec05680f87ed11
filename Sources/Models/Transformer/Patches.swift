import Tensors

/// The conversion between latents and the transformer's tokens, each of which holds the four pixels of a 2×2 patch.
enum Patches {
  /// The side of a patch in latent pixels; fixed in the official code.
  static let side = 2

  /// The order of the values in a token.
  enum Order {
    /// Pixel by pixel, each with all its channels.
    case pixelsFirst
    /// Channel by channel, each with its four pixels (the weight of a convolution).
    case channelsFirst
  }

  /// Returns a clip's extents in tokens.
  static func extents(_ latent: Tensor) -> ClipExtents {
    ClipExtents(frames: latent.shape[1], height: latent.shape[2] / side, width: latent.shape[3] / side)
  }

  /// Converts a latent [channels, frames, height, width] to tokens [tokens, 4·channels].
  static func tokens(_ latent: Tensor, order: Order) -> Tensor {
    let result = Tensor([extents(latent).tokenCount, side * side * latent.shape[0]])
    forEachValue(latent.shape, order) { result.elements[$0] = latent.elements[$1] }
    return result
  }

  /// Converts tokens back to a latent of the given shape, the inverse of ``tokens(_:order:)``.
  static func latent(_ tokens: Tensor, shape: Shape, order: Order) -> Tensor {
    let result = Tensor(shape)
    forEachValue(shape, order) { result.elements[$1] = tokens.elements[$0] }
    return result
  }

  /// Visits every value with its index among the tokens and its index in the latent.
  private static func forEachValue(
    _ shape: Shape, _ order: Order, _ body: (_ token: Int, _ latent: Int) -> Void
  ) {
    let (channels, frames, height, width) = (shape[0], shape[1], shape[2], shape[3])
    for channel in 0..<channels {
      for frame in 0..<frames {
        for y in 0..<height {
          for x in 0..<width {
            let token = (frame * (height / side) + y / side) * (width / side) + x / side
            let pixel = y % side * side + x % side
            let feature =
              order == .pixelsFirst ? pixel * channels + channel : channel * side * side + pixel
            body(
              token * side * side * channels + feature,
              ((channel * frames + frame) * height + y) * width + x)
          }
        }
      }
    }
  }
}
