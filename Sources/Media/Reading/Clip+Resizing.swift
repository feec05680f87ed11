import Clips
import Foundation

extension Clip {
  /// Returns the first frame at another size, byte for byte as the official example feeds it to the model
  /// (`Image.resize` of Pillow: bicubic with a = −1/2 and a wider kernel when shrinking, first along rows, then along
  /// columns, in fixed point).
  ///
  /// The bicubic filter of another library differs in the last bits, and the generated clip would differ too.
  ///
  /// - Precondition: the clip has a frame, and the new size is positive.
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

extension Clip {
  /// Returns what is lost or added when a picture becomes a frame of other proportions, as the end of a sentence that begins
  /// with the picture; nil where nothing is.
  package func fitRemark(width: Int, height: Int, fit: Fit) -> String? {
    guard self.width * height != self.height * width else { return nil }
    let done =
      switch fit {
      case .crop: "cropped"
      case .pad: "padded with black"
      case .stretch: "stretched, as in the official example, and neither cropped nor padded"
      }
    return "is \(self.width)×\(self.height), the clip \(width)×\(height): it is \(done)"
  }

  /// Returns the first frame at another size, its proportions kept or not.
  ///
  /// - Precondition: the clip has a frame, and the new size is positive.
  public func resized(width: Int, height: Int, fit: Fit) -> Clip {
    switch fit {
    case .stretch: return resized(width: width, height: height)
    case .crop:
      let part = Self.largest(width, height, within: (self.width, self.height))
      return window(
        x: (self.width - part.width) / 2, y: (self.height - part.height) / 2, width: part.width,
        height: part.height
      ).resized(width: width, height: height)
    case .pad:
      let part = Self.largest(self.width, self.height, within: (width, height))
      let inner = resized(width: part.width, height: part.height)
      return inner.window(
        x: (part.width - width) / 2, y: (part.height - height) / 2, width: width, height: height)
    }
  }

  /// Returns the size of the largest rectangle of the given proportions within another one.
  private static func largest(
    _ width: Int, _ height: Int, within limit: (width: Int, height: Int)
  ) -> (width: Int, height: Int) {
    if limit.width * height <= limit.height * width {
      return (limit.width, max((limit.width * height + width / 2) / width, 1))
    }
    return (max((limit.height * width + height / 2) / height, 1), limit.height)
  }

  /// Returns a part of the first frame, which may reach over its edges, where it is black.
  private func window(x: Int, y: Int, width: Int, height: Int) -> Clip {
    var pixels = [UInt8](repeating: 0, count: 3 * width * height)
    let columns = max(x, 0)..<min(x + width, self.width)
    for row in max(y, 0)..<min(y + height, self.height) {
      let source = 3 * (row * self.width + columns.lowerBound)
      let target = 3 * ((row - y) * width + columns.lowerBound - x)
      pixels.replaceSubrange(
        target..<target + 3 * columns.count, with: bytes[source..<source + 3 * columns.count])
    }
    return Clip(frame: pixels, width: width, height: height)
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
