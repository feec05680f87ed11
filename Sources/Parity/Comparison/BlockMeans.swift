import Clips
import Foundation

/// The mean colours of a clip's frames in squares of 32 pixels (fewer at the right and lower edges).
///
/// Lossy encoding changes pixels, most of all in noise and in chroma, but hardly changes these means: they reveal
/// changes of colour and movement where a comparison of pixels only shows the encoder.
struct BlockMeans {
  private static let side = 32
  /// The means, [frames, rows, columns], each red, green and blue.
  private let means: [SIMD3<Float>]
  private let frameCount: Int

  init(_ clip: Clip) {
    let columns = (clip.width + Self.side - 1) / Self.side
    let rows = (clip.height + Self.side - 1) / Self.side
    var sums = [SIMD3<Int32>](repeating: .zero, count: clip.count * rows * columns)
    var counts = [Int32](repeating: 0, count: rows * columns)
    for y in 0..<clip.height {
      for x in 0..<clip.width { counts[y / Self.side * columns + x / Self.side] += 1 }
    }
    clip.bytes.withUnsafeBufferPointer { bytes in
      var place = 0
      for frame in 0..<clip.count {
        for y in 0..<clip.height {
          let row = (frame * rows + y / Self.side) * columns
          for x in 0..<clip.width {
            sums[row + x / Self.side] &+= SIMD3(
              Int32(bytes[place]), Int32(bytes[place + 1]), Int32(bytes[place + 2]))
            place += 3
          }
        }
      }
    }
    means = sums.indices.map { SIMD3<Float>(sums[$0]) / Float(counts[$0 % counts.count]) }
    frameCount = clip.count
  }

  /// Returns the PSNR of these means against a reference's of the same size, in dB; equal means yield
  /// ``ClipMetrics/identicalPSNR``.
  ///
  /// - Parameter shift: the offset from the reference's frame n to our corresponding frame; frames without a partner
  ///   are left out.
  func psnr(reference: BlockMeans, shift: Int) -> Double {
    let blocks = means.count / max(frameCount, 1)
    let frames = max(0, -shift)..<frameCount - max(0, shift)
    var sum = 0.0
    for frame in frames {
      for block in 0..<blocks {
        let difference = means[(frame + shift) * blocks + block] - reference.means[frame * blocks + block]
        sum += Double((difference * difference).sum())
      }
    }
    guard sum > 0 else { return ClipMetrics.identicalPSNR }
    return min(
      ClipMetrics.identicalPSNR, 10 * log10(255 * 255 * Double(frames.count * blocks * 3) / sum))
  }
}
