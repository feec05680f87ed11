import Tensors

/// What the frames of a clip must reach.
public struct FrameThresholds: Equatable, Sendable {
  /// The PSNR and the SSIM of the worst frame.
  public var psnrMinDb: Double, ssimMin: Double
  /// The fraction of equal values.
  public var identicalFraction: Double
  /// Why these numbers.
  public var reason: String

  /// Creates thresholds.
  public init(psnrMinDb: Double, ssimMin: Double, identicalFraction: Double, reason: String) {
    self.psnrMinDb = psnrMinDb
    self.ssimMin = ssimMin
    self.identicalFraction = identicalFraction
    self.reason = reason
  }
}

/// What a verification must reach.
///
/// Defaults come from measurement, stated beside each.
public struct Thresholds: Equatable, Sendable {
  /// The largest nmse of a tensor computed from the golden's inputs.
  public var teacherForced: Double
  /// The largest nmse of a tensor computed by a run of our own.
  public var freeRunning: Double
  /// The largest nmse of a text's embeddings and pooled vector.
  public var text: Double
  /// What the frames must reach.
  public var frames: FrameThresholds

  /// For models whose weights hold exactly the checkpoint's values.
  ///
  /// The official code against itself with other kernels differs by an nmse of about 1e-13 for one call; three orders
  /// of magnitude are left for other orders of summation, and errors pile up in a free run.
  public static let exact = Thresholds(
    teacherForced: 1e-10, freeRunning: 1e-8, text: 1e-10,
    frames: FrameThresholds(
      psnrMinDb: 60, ssimMin: 0.999, identicalFraction: 0.995,
      reason: "the weights are the checkpoint's own: only the order of summation differs"))

  /// For f32 weights rounded to f16.
  ///
  /// Worst of five f32 checkpoints, random and of both families, converted with `--type f16`: nmse 1.6e-5 for T5's
  /// embeddings (the official T5 with its weights rounded so is off by as much), 1.0e-5 for what else is teacher-forced (the
  /// mean of an encoded image), 8.3e-6 free-running; PSNR 56.5 dB, 88 % of values identical. About ten times that is
  /// allowed.
  public static let float16 = Thresholds(
    teacherForced: 1e-4, freeRunning: 8e-5, text: 1.6e-4,
    frames: FrameThresholds(
      psnrMinDb: 46, ssimMin: 0.995, identicalFraction: 0.6,
      reason: "weights were rounded to f16; ten times the error that was measured is allowed"))

  /// For f32 or f16 weights rounded to bf16.
  ///
  /// Worst of six such checkpoints converted with `--type bf16`: nmse 8.6e-4 for T5's embeddings (the official T5 with its
  /// weights rounded so is off by as much), 6.4e-4 for what else is teacher-forced (the mean of an encoded image), 5.3e-4
  /// free-running; PSNR 42.5 dB, 42 % of values identical. About ten times that is allowed.
  public static let bfloat16 = Thresholds(
    teacherForced: 6e-3, freeRunning: 5e-3, text: 9e-3,
    frames: FrameThresholds(
      psnrMinDb: 32, ssimMin: 0.98, identicalFraction: 0.2,
      reason: "weights were rounded to bf16; ten times the error that was measured is allowed"))

  /// For weights quantized to int8 by the built-in recipe.
  ///
  /// Worst of eight checkpoints, random and trained, of both families, in f32, bf16 and f16: nmse 8e-3 for T5's embeddings
  /// (which no attention scale tames), 6.4e-4 for everything else that is teacher-forced, 1.7e-3 free-running; PSNR 37.4
  /// dB, SSIM 0.998, 27 % of values identical. Five to ten times that is allowed.
  public static let int8 = Thresholds(
    teacherForced: 3e-3, freeRunning: 2e-2, text: 5e-2,
    frames: FrameThresholds(
      psnrMinDb: 27, ssimMin: 0.98, identicalFraction: 0.05,
      reason: "weights were quantized to int8; five to ten times the error that was measured is allowed"))

  /// The defaults for a model.
  ///
  /// - Parameters:
  ///   - type: the type of its coarsest lossy weights; nil when none is lossy.
  ///   - computesInBFloat16: whether products round their inputs to bf16, which costs about what rounding the weights does.
  public static func defaults(coarsestLossyType type: WeightType?, computesInBFloat16: Bool) -> Thresholds {
    switch type {
    case nil: computesInBFloat16 ? .bfloat16 : .exact
    case .f32?, .f16?: computesInBFloat16 ? .bfloat16 : .float16
    case .bf16?: .bfloat16
    case .int8?: .int8
    }
  }

  /// Sets one threshold by its name on the command line.
  ///
  /// - Returns: whether the name is known.
  public mutating func set(_ name: String, to value: Double) -> Bool {
    switch name {
    case "teacher-forced": teacherForced = value
    case "free-running": freeRunning = value
    case "text": text = value
    case "psnr": frames.psnrMinDb = value
    case "ssim": frames.ssimMin = value
    case "identical": frames.identicalFraction = value
    default: return false
    }
    if ["psnr", "ssim", "identical"].contains(name) { frames.reason = "given on the command line" }
    return true
  }

  /// The names that ``set(_:to:)`` knows.
  public static let names = ["teacher-forced", "free-running", "text", "psnr", "ssim", "identical"]
}
extension FrameThresholds {
  /// For a golden video that was encoded with loss, from what the same encoding does to our own clip.
  ///
  /// Measured on two goldens of the official `export_to_video`, the trained and the random miniFLUX: the right clip
  /// lies 0.1 to 1.2 dB and 0.001 to 0.026 above this floor; of the wrong ones, a square in place of a ball lies 3.8 dB
  /// below it, a clip one frame off 3.7 to 15.8 dB. Noise loses most of its chroma to 4:2:0 (its floor is 13.6 dB), so
  /// no fixed number would do.
  public static func lossyVideo(floor: FrameComparison) -> FrameThresholds {
    FrameThresholds(
      psnrMinDb: floor.psnrMinDb - 1.5, ssimMin: floor.ssimMin - 0.02, identicalFraction: 0,
      reason: "what encoding as the official export_to_video does costs our own clip, less 1.5 dB and 0.02")
  }
}
