import ArgumentParser
import Checkpoints
import Parity

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a model with what the official implementation computed.",
    discussion: """
      GOLDEN is a golden trace (.h5), a bundle or a suite of bundles of tools/record_golden.py, a video, or a folder of \
      PNGs. A video or a folder says only what the clip looked like; the request and the noise come from the trace of the \
      same name beside it (clip.h5 for clip.mp4), or from --trace. The shards of a suite can run on different machines; \
      `benben report merge` puts their reports together.
      """)

  @Argument(help: "The model folder.")
  var model: String

  @Option(help: "A trace (.h5), a bundle, a suite, a video, or a folder of PNGs.")
  var golden: String

  @Option(help: "The trace that gives request and noise for a golden video.")
  var trace: String?

  @Option(help: "teacher-forced, free-running or both.")
  var mode: Mode = .both

  @Option(help: "Which transformer to verify, where the model has several.")
  var variant: String?

  @Option(help: "I/N: verify only the I-th of N parts of a suite, counted from 1.")
  var shard: Shard?

  @OptionGroup var outputs: ReportOptions

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

  func run() throws {
    try outputs.requireWritable()
    let suite = try GoldenSuite(folder: golden)
    if shard != nil, suite == nil {
      throw ValidationError("--shard is for suites, which \(golden) is not")
    }
    let loaded = try LoadedModel(path: model, threads: common.threads)
    let identity = ReportIdentity.model(loaded.native)
    if let suite {
      let verification = SuiteVerification(
        suite: suite, shard: shard, options: common, wantsFrames: outputs.report != nil, failFast: failFast)
      let report = try verification.run(SuiteReport(suite: suite.names, model: identity)) {
        try verify(loaded, trace: $0.tracePath, bundle: $0)
      }
      try outputs.write(report, json: report.json, table: report.table, quiet: common.quiet)
      if !report.passed { throw ExitCode(1) }
    } else {
      let report = try verifySingle(loaded)
      let name = String(golden.split(separator: "/").last ?? "")
      var page = SuiteReport(suite: [name], model: identity)
      let clip = outputs.report == nil ? nil : try ReportPage.clip(of: report, goldens: 1)
      page.add(SuiteReport.Entry(name: name, outcome: .success(report.json), clip: clip))
      try outputs.write(page, json: report.json, table: report.table, quiet: common.quiet)
      if !report.passed { throw ExitCode(1) }
    }
  }

  private func verifySingle(_ loaded: LoadedModel) throws -> ParityReport {
    if golden.lowercased().hasSuffix(".h5") || golden.lowercased().hasSuffix(".hdf5") {
      return try verify(loaded, trace: golden)
    }
    if let bundle = try GoldenBundle(folder: golden) {
      try bundle.requireSound()
      return try verify(loaded, trace: bundle.tracePath, bundle: bundle)
    }
    return try ClipVerification(
      loaded, golden: golden, tracePath: trace, lossless: loaded.thresholds, variant: variant,
      options: common,
      adjust: apply
    ).run()
  }

  private func verify(
    _ loaded: LoadedModel, trace path: String, bundle: GoldenBundle? = nil
  ) throws -> ParityReport {
    let trace = try GoldenTrace(path: path)
    var thresholds = loaded.thresholds.against(trace.request)
    try apply(&thresholds)
    var verification = try TraceVerification(
      loaded, trace: trace, bundle: bundle, thresholds: thresholds, variant: variant,
      options: common, failFast: failFast)
    return try verification.run(mode.modes)
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
