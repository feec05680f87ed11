import Clips
import Foundation
import Tensors

/// The thresholds for the frames of a clip.
public struct FrameThresholds: Codable, Equatable, Sendable {
  /// The minimum PSNR in dB, and the minimum SSIM, of the worst frame.
  public var psnrMinDb: Double, ssimMin: Double
  /// The minimum fraction of equal values.
  public var identicalFraction: Double
  /// The reason for these numbers.
  public var reason: String

  /// The reason of thresholds that somebody gave.
  package static let givenReason = "given by the user"

  /// Creates thresholds.
  public init(psnrMinDb: Double, ssimMin: Double, identicalFraction: Double, reason: String) {
    self.psnrMinDb = psnrMinDb
    self.ssimMin = ssimMin
    self.identicalFraction = identicalFraction
    self.reason = reason
  }
}

extension FrameThresholds {
  /// Returns thresholds for a golden video that was encoded with loss, from the effect of the same encoding on our own
  /// clip and from the difference that our clip may have before it is encoded.
  ///
  /// Measured on three goldens of the official `export_to_video`, the trained miniFLUX and both random ones: the right
  /// clip lies 0.1 to 0.9 dB and 0.001 to 0.027 (SSIM) above this floor; of the wrong ones, a square in place of a ball
  /// lies 2.5 dB below it, a clip one frame off 3.9 to 14.5 dB. Noise loses most of its chroma to 4:2:0 (its floor is
  /// 13.6 dB), so no fixed number would do.
  public func encoded(floor: ClipMetrics) -> FrameThresholds {
    func error(_ psnr: Double) -> Double { pow(10, -psnr / 10) }
    return FrameThresholds(
      psnrMinDb: -10 * log10(error(floor.psnrMinDb - 1.5) + error(psnrMinDb)),
      ssimMin: floor.ssimMin - 0.02 - (1 - ssimMin), identicalFraction: 0,
      reason:
        "what encoding as the official export_to_video does costs our own clip, less 1.5 dB and 0.02, and besides: \(reason)"
    )
  }
}
