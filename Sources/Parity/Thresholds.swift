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

/// What a verification must reach. Defaults come from measurement, stated beside each.
public struct Thresholds: Equatable, Sendable {
  /// The largest nmse of a tensor computed from the golden's inputs.
  public var teacherForced: Double
  /// The largest nmse of a tensor computed by a run of our own.
  public var freeRunning: Double
  /// What the frames must reach.
  public var frames: FrameThresholds

  /// For models whose weights hold exactly the checkpoint's values.
  ///
  /// The official code against itself with other kernels differs by an nmse of about 1e-13 for one call; three orders
  /// of magnitude are left for other orders of summation, and errors pile up in a free run.
  public static let exact = Thresholds(
    teacherForced: 1e-10, freeRunning: 1e-8,
    frames: FrameThresholds(
      psnrMinDb: 60, ssimMin: 0.999, identicalFraction: 0.995,
      reason: "the weights are the checkpoint's own: only the order of summation differs"))

  /// The defaults for a model whose coarsest lossy weights have this type; nil when none is lossy.
  public static func defaults(coarsestLossyType type: ElementType?) -> Thresholds {
    switch type {
    case nil: .exact
    case .f16?: .float16
    default: .bfloat16
    }
  }

  /// Sets one threshold by its name on the command line.
  ///
  /// - Returns: whether the name is known.
  public mutating func set(_ name: String, to value: Double) -> Bool {
    switch name {
    case "teacher-forced": teacherForced = value
    case "free-running": freeRunning = value
    case "psnr": frames.psnrMinDb = value
    case "ssim": frames.ssimMin = value
    case "identical": frames.identicalFraction = value
    default: return false
    }
    if ["psnr", "ssim", "identical"].contains(name) { frames.reason = "given on the command line" }
    return true
  }

  /// The names that ``set(_:to:)`` knows.
  public static let names = ["teacher-forced", "free-running", "psnr", "ssim", "identical"]
}
extension Thresholds {
  static let float16 = exact
  static let bfloat16 = exact
}
extension FrameThresholds {
  /// lossy
  public static let lossyVideo = FrameThresholds(psnrMinDb: 30, ssimMin: 0.9, identicalFraction: 0, reason: "")
}
