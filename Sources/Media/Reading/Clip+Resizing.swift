import Clips
import Foundation

extension Clip {
  /// Returns the first frame at another size, byte for byte as the official example feeds it to the model
  /// (`Image.resize` of Pillow: bicubic with a = −1/2 and a wider kernel when shrinking, first along rows, then along
  /// columns, in fixed point).
  ///
  /// The bicubic filter of another library differs in the last bits, and the generated clip would differ too.
  public func resized(width: Int, height: Int) -> Clip {
    var bytes = Array(bytes.prefix(frameSize))
    if width != self.width {
      bytes = BicubicTaps(from: self.width, to: width).resample(bytes, lines: self.height, stride: 3)
    }
    if height != self.height {
      bytes = BicubicTaps(from: self.height, to: height).resample(bytes, lines: 1, stride: 3 * width)
    }
    return Clip(frame: bytes, width: width, height: height)
  }
}

/// The source values and weights of every value in a resampled line.
private struct BicubicTaps {
  private let count: Int
  /// The first input and the fixed-point weights of every output.
  private let taps: [(first: Int, weights: [Int])]

  private static let precision = 22

  init(from count: Int, to target: Int) {
    self.count = count
    let scale = Double(count) / Double(target)
    let filterScale = max(scale, 1)
    let support = 2 * filterScale
    taps = (0..<target).map { index in
      let center = (Double(index) + 0.5) * scale
      let first = max(Int(center - support + 0.5), 0)
      let end = min(Int(center + support + 0.5), count)
      let weights = (first..<end).map { Self.bicubic((Double($0) - center + 0.5) / filterScale) }
      let sum = weights.reduce(0, +)
      let fixed = weights.map { weight -> Int in
        let value = weight / sum * Double(1 << Self.precision)
        return Int(value < 0 ? value - 0.5 : value + 0.5)
      }
      return (first, fixed)
    }
  }

  private static func bicubic(_ distance: Double) -> Double {
    let (x, a) = (abs(distance), -0.5)
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
  }

  /// Resamples `lines` lines of values that are `stride` bytes each.
  func resample(_ bytes: [UInt8], lines: Int, stride: Int) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: lines * taps.count * stride)
    for line in 0..<lines {
      for (index, tap) in taps.enumerated() {
        for byte in 0..<stride {
          var sum = 1 << (Self.precision - 1)
          var source = (line * count + tap.first) * stride + byte
          for weight in tap.weights {
            sum += weight * Int(bytes[source])
            source += stride
          }
          result[(line * taps.count + index) * stride + byte] = UInt8(
            min(max(sum >> Self.precision, 0), 255))
        }
      }
    }
    return result
  }
}
