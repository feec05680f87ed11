import Media
import Models
import Parity
import Tensors

/// A clip in bytes, put together from decoded parts.
struct Clip {
  private let shape: Shape
  private var bytes: [UInt8]

  /// A black clip [frames, height, width, 3].
  init(_ shape: Shape) {
    self.shape = shape
    bytes = Array(repeating: 0, count: shape.reduce(1, *))
  }

  /// Turns a part into bytes as the official code does: ·127.5 + 127.5, clamped, truncated.
  mutating func place(_ part: ClipPart) {
    part.forEachLine(of: shape) { line, place in
      for (value, target) in zip(line, place) { bytes[target] = Self.byte(part.values.elements[value]) }
    }
  }

  /// A NaN becomes black, as it does in the official code on a CPU.
  private static func byte(_ value: Float) -> UInt8 {
    let level = value * 127.5 + 127.5
    return level.isNaN ? 0 : UInt8(min(max(level, 0), 255))
  }

  func frames() throws -> FrameSequence {
    guard let frames = FrameSequence(width: shape[2], height: shape[1], bytes: bytes) else {
      throw BenbenError(
        .internalDefect, "the clip has no whole frames", at: shape.text, because: "decoding")
    }
    return frames
  }

  /// The inverse: a picture's bytes, row by row, as the VAE's encoder takes it, [1, height, width, 3] in −1…1
  /// (`ToTensor`, `Normalize`).
  static func pixels(_ bytes: [UInt8], width: Int, height: Int) -> Tensor {
    Tensor([1, height, width, 3], bytes.map { (Float($0) / 255 - 0.5) / 0.5 })
  }
}

extension VMAF {
  /// The VMAF of every frame of a clip of the same size and length, where it can be computed.
  static func scores(of clip: FrameSequence, reference: FrameSequence, _ options: CommonOptions) -> [Double]?
  {
    let result = scores(of: clip.bytes, reference: reference.bytes, width: clip.width, height: clip.height)
    if isAvailable, result == nil { options.say("no VMAF: the program ffmpeg failed") }
    return result
  }
}
