import Foundation

/// A frame-by-frame comparison of two clips of the same size and length, in 8-bit levels.
public struct ClipMetrics: Sendable {
  /// The PSNR of every frame over all three channels, 10·log10(255²/MSE); ``identicalPSNR`` for identical frames.
  public let psnrDb: [Double]
  /// The SSIM of every frame's luma, with a Gaussian window of 11×11 and σ = 1.5 (Wang and others, 2004).
  public let ssim: [Double]
  /// The largest absolute difference between two values.
  public let maxAbs: Int
  /// The fraction of values that are equal.
  public let identicalFraction: Double

  /// The PSNR reported for identical frames, in place of infinity.
  public static let identicalPSNR = 100.0

  /// Compares two clips; both must have the same size and number of frames.
  public init(_ clip: Clip, reference: Clip) {
    precondition(
      clip.width == reference.width && clip.height == reference.height && clip.count == reference.count)
    let size = clip.width * clip.height * 3
    var psnr: [Double] = []
    var ssim: [Double] = []
    var largest = 0
    var equal = 0
    for frame in 0..<clip.count {
      let (a, b) = (
        clip.bytes[frame * size..<(frame + 1) * size], reference.bytes[frame * size..<(frame + 1) * size]
      )
      var squares = 0
      for (x, y) in zip(a, b) {
        let difference = abs(Int(x) - Int(y))
        squares += difference * difference
        largest = max(largest, difference)
        equal += difference == 0 ? 1 : 0
      }
      psnr.append(
        squares == 0 ? Self.identicalPSNR : 10 * log10(255.0 * 255.0 * Double(size) / Double(squares)))
      ssim.append(
        StructuralSimilarity.mean(Self.luma(a), Self.luma(b), width: clip.width, height: clip.height))
    }
    psnrDb = psnr
    self.ssim = ssim
    maxAbs = largest
    identicalFraction = clip.bytes.isEmpty ? 1 : Double(equal) / Double(clip.bytes.count)
  }

  /// The mean PSNR over frames.
  public var psnrMeanDb: Double { psnrDb.reduce(0, +) / Double(max(psnrDb.count, 1)) }
  /// The PSNR of the worst frame.
  public var psnrMinDb: Double { psnrDb.min() ?? Self.identicalPSNR }
  /// The mean SSIM over frames.
  public var ssimMean: Double { ssim.reduce(0, +) / Double(max(ssim.count, 1)) }
  /// The SSIM of the worst frame.
  public var ssimMin: Double { ssim.min() ?? 1 }

  /// Returns BT.601 luma.
  private static func luma(_ rgb: ArraySlice<UInt8>) -> [Double] {
    stride(from: rgb.startIndex, to: rgb.endIndex, by: 3).map {
      0.299 * Double(rgb[$0]) + 0.587 * Double(rgb[$0 + 1]) + 0.114 * Double(rgb[$0 + 2])
    }
  }
}
