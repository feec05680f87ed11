import Clips

extension Thresholds {
  /// A change of one threshold, as METRIC=VALUE.
  public struct Change: Sendable {
    /// What can be changed.
    public enum Metric: String, CaseIterable, Sendable {
      case teacherForced = "teacher-forced"
      case freeRunning = "free-running"
      case text, psnr, ssim, identical

      /// The values that something can pass: of errors the largest that are allowed, of likenesses the least.
      fileprivate var range: ClosedRange<Double> {
        switch self {
        case .teacherForced, .freeRunning, .text: 0...Double.greatestFiniteMagnitude
        case .psnr: -Double.greatestFiniteMagnitude...ClipMetrics.identicalPSNR
        case .ssim, .identical: -Double.greatestFiniteMagnitude...1
        }
      }
    }

    /// How a change is written.
    public static let form =
      "METRIC=VALUE, METRIC being " + Metric.allCases.map(\.rawValue).joined(separator: ", ")
      + "; errors are 0 at least, decibels 100 at most, SSIM and the identical share 1"

    private let metric: Metric
    private let value: Double

    /// Reads a change; nil unless it is of that form and something can pass.
    public init?(_ text: String) {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let metric = Metric(rawValue: parts[0]), let value = Double(parts[1]),
        value.isFinite, metric.range.contains(value)
      else { return nil }
      (self.metric, self.value) = (metric, value)
    }

    /// Makes the change.
    public func apply(to thresholds: inout Thresholds) {
      switch metric {
      case .teacherForced: thresholds.teacherForced = value
      case .freeRunning: thresholds.freeRunning = value
      case .text: thresholds.text = value
      case .psnr: thresholds.frames.psnrMinDb = value
      case .ssim: thresholds.frames.ssimMin = value
      case .identical: thresholds.frames.identicalFraction = value
      }
      if [.psnr, .ssim, .identical].contains(metric) {
        thresholds.frames.reason = FrameThresholds.givenReason
      }
    }
  }
}
