import ArgumentParser
import Checkpoints
import Parity

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a model with what the official implementation computed.",
    discussion: """
      GOLDEN is a golden trace (.h5), a bundle of tools/record_golden.py, a video, or a folder of PNGs. A video or a folder says only what the clip looked \
      like; the request and the noise come from the trace of the same name beside it (clip.h5 for clip.mp4), or from \
      --trace.
      """)

  @Argument(help: "The model folder.")
  var model: String

  @Option(help: "A trace (.h5), a bundle, a video, or a folder of PNGs.")
  var golden: String

  @Option(help: "The trace that gives request and noise for a golden video.")
  var trace: String?

  @Option(help: "teacher-forced, free-running or both.")
  var mode: Mode = .both

  @Option(help: "Which transformer to verify, where the model has several.")
  var variant: String?

  @Option(help: "Write the report to this file as JSON (- for standard output).")
  var json: String?

  @Option(help: "Write the report to this file as a page of HTML.")
  var report: String?

  @Flag(help: "Stop at the first failure.")
  var failFast = false

  @Option(
    help: "METRIC=VALUE: another threshold; teacher-forced, free-running, text, psnr, ssim or identical.")
  var threshold: [String] = []

  @OptionGroup var common: CommonOptions

  /// Which comparisons to make.
  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case teacherForced = "teacher-forced"
    case freeRunning = "free-running"
    case both

    var modes: Set<ComparisonMode> {
      switch self {
      case .teacherForced: [.teacherForced]
      case .freeRunning: [.freeRunning]
      case .both: [.teacherForced, .freeRunning]
      }
    }
  }

  func validate() throws {
    var thresholds = Thresholds.exact
    try apply(&thresholds)
  }

  mutating func run() throws {
    try Console.requireWritable(json)
    try Console.requireWritable(self.report)
    let loaded = try LoadedModel(path: model, threads: common.threads)
    let report: ParityReport
    if let tracePath = try tracePath() {
      let trace = try GoldenTrace(path: tracePath)
      var thresholds = loaded.thresholds
      try apply(&thresholds)
      var verification = try TraceVerification(
        loaded, trace: trace, thresholds: thresholds, variant: variant, options: common, failFast: failFast)
      report = try verification.run(mode.modes)
    } else {
      report = try ClipVerification(
        loaded, golden: golden, tracePath: trace,
        lossless: loaded.thresholds, variant: variant,
        options: common,
        adjust: apply
      ).run()
    }
    if let page = self.report { try ReportPage.write(report, to: page) }
    if let json { try Console.write(report.json, to: json) }
    if json != "-" && !common.quiet { try Console.print(report.table) }
    if !report.passed { throw ExitCode(1) }
  }

  /// The golden trace, when the golden is one or a bundle with one.
  private func tracePath() throws -> String? {
    if golden.lowercased().hasSuffix(".h5") || golden.lowercased().hasSuffix(".hdf5") { return golden }
    guard let bundle = try GoldenBundle(folder: golden) else { return nil }
    try bundle.requireSound()
    return bundle.tracePath
  }

  private func apply(_ thresholds: inout Thresholds) throws {
    for text in threshold {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2, let value = Double(parts[1]), value.isFinite,
        thresholds.set(parts[0], to: value)
      else {
        throw ValidationError(
          "--threshold \(text): METRIC=VALUE is needed, METRIC being \(Thresholds.names.joined(separator: ", "))"
        )
      }
    }
  }
}
