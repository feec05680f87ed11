import Parity

/// A threshold given on the command line, METRIC=VALUE.
struct ThresholdChange: Sendable {
  enum Metric: String, CaseIterable {
    case teacherForced = "teacher-forced"
    case freeRunning = "free-running"
    case text, psnr, ssim, identical
  }

  private let metric: Metric
  private let value: Double

  init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let metric = Metric(rawValue: parts[0]), let value = Double(parts[1]),
      value.isFinite
    else { return nil }
    (self.metric, self.value) = (metric, value)
  }

  func apply(to thresholds: inout Thresholds) {
    switch metric {
    case .teacherForced: thresholds.teacherForced = value
    case .freeRunning: thresholds.freeRunning = value
    case .text: thresholds.text = value
    case .psnr: thresholds.frames.psnrMinDb = value
    case .ssim: thresholds.frames.ssimMin = value
    case .identical: thresholds.frames.identicalFraction = value
    }
    if [.psnr, .ssim, .identical].contains(metric) { thresholds.frames.reason = "given on the command line" }
  }
}
