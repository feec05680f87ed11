import Models
import Parity
import Tensors

/// Turns a decoded clip into bytes as the official code does: ·127.5 + 127.5, clamped, truncated.
enum Clip {
  static func bytes(_ decoded: Tensor) -> [UInt8] {
    decoded.elements.map { value in
      let level = value * 127.5 + 127.5
      // A NaN becomes black, as it does in the official code on a CPU.
      return level.isNaN ? 0 : UInt8(min(max(level, 0), 255))
    }
  }

  /// The inverse: a picture's bytes, row by row, as the VAE's encoder takes it, [1, height, width, 3] in −1…1
  /// (`ToTensor`, `Normalize`).
  static func pixels(_ bytes: [UInt8], width: Int, height: Int) -> Tensor {
    Tensor([1, height, width, 3], bytes.map { (Float($0) / 255 - 0.5) / 0.5 })
  }

  static func frames(_ decoded: Tensor) throws -> FrameSequence {
    guard let frames = FrameSequence(width: decoded.shape[2], height: decoded.shape[1], bytes: bytes(decoded))
    else {
      throw BenbenError(
        .internalDefect, "the clip has no whole frames", at: decoded.shape.text, because: "decoding")
    }
    return frames
  }
}
