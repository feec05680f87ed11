import Foundation

/// A frame-by-frame comparison of two clips of the same size and length, in 8-bit levels.
public struct ClipMetrics: Sendable {
  /// The PSNR of every frame over all three channels, 10·log10(255²/MSE); at most ``identicalPSNR``.
  public let psnrDb: [Double]
  /// The SSIM of every frame's luma, with a Gaussian window of 11×11 and σ = 1.5 (Wang and others, 2004).
  public let ssim: [Double]
  /// The PSNR of what changes from the frame before to every frame but the first, in dB: of motion, flicker and noise.
  public let temporalPsnrDb: [Double]
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
      psnr.append(Self.psnr(squares: squares, count: size))
      ssim.append(
        StructuralSimilarity.mean(Self.luma(a), Self.luma(b), width: clip.width, height: clip.height))
    }
    psnrDb = psnr
    self.ssim = ssim
    temporalPsnrDb = Self.temporal(clip, reference)
    maxAbs = largest
    identicalFraction = clip.bytes.isEmpty ? 1 : Double(equal) / Double(clip.bytes.count)
  }

  /// Returns the mean ꟻLIP of every frame, from 0 for no perceived difference to 1, of clips of the same size and length.
  ///
  /// It takes some ten times as long as the other metrics together.
  public static func flip(_ clip: Clip, reference: Clip) -> [Double] {
    (0..<min(clip.count, reference.count)).map {
      FLIP.mean(clip[frame: $0], reference[frame: $0], width: clip.width, height: clip.height)
    }
  }

  private static func psnr(squares: Int, count: Int) -> Double {
    squares == 0
      ? identicalPSNR : min(identicalPSNR, 10 * log10(255.0 * 255.0 * Double(count) / Double(squares)))
  }

  private static func temporal(_ clip: Clip, _ reference: Clip) -> [Double] {
    let size = clip.frameSize
    return clip.bytes.withUnsafeBufferPointer { a in
      reference.bytes.withUnsafeBufferPointer { b in
        (1..<max(clip.count, 1)).map { frame in
          var squares = 0
          for place in frame * size..<(frame + 1) * size {
            let ours = Int(a[place]) - Int(a[place - size])
            let theirs = Int(b[place]) - Int(b[place - size])
            squares += (ours - theirs) * (ours - theirs)
          }
          return psnr(squares: squares, count: size)
        }
      }
    }
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
