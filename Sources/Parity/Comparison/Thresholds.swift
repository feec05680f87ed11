import Foundation
import Tensors

/// The thresholds of a verification.
///
/// Defaults come from measurements, stated beside each.
public struct Thresholds: Equatable, Sendable {
  /// The largest nmse of a tensor computed from the golden's inputs.
  public var teacherForced: Double
  /// The largest nmse of a tensor computed in a free run.
  public var freeRunning: Double
  /// The largest nmse of a text's embeddings and pooled vector.
  public var text: Double
  /// The thresholds for the frames.
  public var frames: FrameThresholds

  /// The thresholds for models whose weights hold exactly the checkpoint's values.
  ///
  /// Two runs of the official code with different kernels differ by an nmse of about 1e-13 for one call; three orders
  /// of magnitude are left for other orders of summation, and errors accumulate in a free run.
  public static let exact = Thresholds(
    teacherForced: 1e-10, freeRunning: 1e-8, text: 1e-10,
    frames: FrameThresholds(
      psnrMinDb: 60, ssimMin: 0.999, identicalFraction: 0.995,
      reason: "the weights are the checkpoint's own: only the order of summation differs"))

  // The following thresholds were measured by tools/thresholds/measure.py on three small checkpoints, random and
  // trained, of both families; tools/thresholds/table.md has the numbers. With the golden's inputs, up to ten times the
  // worst error is allowed. A free run amplifies errors step by step, the more the stronger the guidance, so its worst
  // run lies far from the median; twice that run's error is allowed.

  /// The thresholds for f32 weights rounded to f16.
  public static let float16 = Thresholds(
    teacherForced: 1e-4, freeRunning: 6e-4, text: 1.6e-4,
    frames: FrameThresholds(
      psnrMinDb: 45, ssimMin: 0.995, identicalFraction: 0.6,
      reason: "weights were rounded to f16; twice the error of the worst run that was measured is allowed"))

  /// The thresholds for f32 or f16 weights rounded to bf16.
  public static let bfloat16 = Thresholds(
    teacherForced: 6e-3, freeRunning: 3e-2, text: 9e-3,
    frames: FrameThresholds(
      psnrMinDb: 29, ssimMin: 0.97, identicalFraction: 0.2,
      reason: "weights were rounded to bf16; twice the error of the worst run that was measured is allowed"))

  /// The thresholds for weights quantized to int8 by the built-in recipe.
  public static let int8 = Thresholds(
    teacherForced: 3e-3, freeRunning: 0.2, text: 5e-2,
    frames: FrameThresholds(
      psnrMinDb: 19, ssimMin: 0.9, identicalFraction: 0.05,
      reason: "weights were quantized to int8; twice the error of the worst run that was measured is allowed")
  )

  /// The thresholds for goldens that the official code computed in bf16, as the official demos do.
  static let bfloat16Golden = Thresholds(
    teacherForced: 6e-2, freeRunning: 8e-2, text: 1.1e-2,
    frames: FrameThresholds(
      psnrMinDb: 27, ssimMin: 0.95, identicalFraction: 0.08,
      reason: "the golden was computed in bf16; twice the error of the worst run that was measured is allowed"
    ))

  /// Returns the thresholds against a golden: those of the coarser of model and golden.
  public func against(_ golden: GoldenTrace.Request) -> Thresholds {
    against(isFullPrecision: golden.isFullPrecision)
  }

  /// Returns the thresholds against a golden that was computed in f32, or in bf16.
  package func against(isFullPrecision: Bool) -> Thresholds {
    if isFullPrecision { return self }
    let other = Self.bfloat16Golden
    let isCoarser = frames.psnrMinDb < other.frames.psnrMinDb
    return Thresholds(
      teacherForced: max(teacherForced, other.teacherForced),
      freeRunning: max(freeRunning, other.freeRunning),
      text: max(text, other.text), frames: isCoarser ? frames : other.frames)
  }

  /// Returns the default thresholds for a model.
  ///
  /// - Parameters:
  ///   - type: the type of the model's coarsest lossy weights; nil when none is lossy.
  ///   - computesInBFloat16: whether products round their inputs to bf16, which costs about as much as rounding the
  ///     weights.
  public static func defaults(coarsestLossyType type: WeightType?, computesInBFloat16: Bool) -> Thresholds {
    switch type {
    case nil: computesInBFloat16 ? .bfloat16 : .exact
    case .f32?, .f16?: computesInBFloat16 ? .bfloat16 : .float16
    case .bf16?: .bfloat16
    case .int8?: .int8
    }
  }

}
