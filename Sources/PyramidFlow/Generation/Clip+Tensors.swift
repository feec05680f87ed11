import Clips
import Models
import Tensors

extension Clip {
  /// The first frame as input of the VAE's encoder, [1, height, width, 3] in −1…1 (`ToTensor`, `Normalize`).
  package var encoderInput: Tensor {
    Tensor([1, height, width, 3], bytes[0..<frameSize].map { (Float($0) / 255 - 0.5) / 0.5 })
  }

  /// Copies a decoded region into the clip, with the official code's conversion to bytes: ·127.5 + 127.5, clamped,
  /// truncated.
  ///
  /// - Parameter shape: the shape of the whole clip, [frames, height, width, 3].
  mutating func place(_ region: ClipRegion, shape: Shape) {
    withMutableBytes { bytes in
      region.forEachLine(of: shape) { line, place in
        for (value, target) in zip(line, place) {
          bytes[target] = Self.byte(region.values.elements[value])
        }
      }
    }
  }

  /// Returns a value in −1…1 as a byte; a NaN becomes 0, as it does in the official code on a CPU.
  private static func byte(_ value: Float) -> UInt8 {
    let level = value * 127.5 + 127.5
    return level.isNaN ? 0 : UInt8(min(max(level, 0), 255))
  }
}
