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

  static func frames(_ decoded: Tensor) throws -> FrameSequence {
    guard let frames = FrameSequence(width: decoded.shape[2], height: decoded.shape[1], bytes: bytes(decoded))
    else {
      throw BenbenError(
        .internalDefect, "the clip has no whole frames", at: decoded.shape.text, because: "decoding")
    }
    return frames
  }
}
