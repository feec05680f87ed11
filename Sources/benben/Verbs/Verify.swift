import ArgumentParser
import Files
import JSON
import Parity
import PyramidFlow
import PyramidFlowVerification

struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a model with what the official implementation computed.",
    discussion: """
      GOLDEN is a golden trace (.h5), a bundle or a suite of bundles of tools/record_golden.py, a video, or a folder of \
      PNGs. A video or a folder says only what the clip looked like; the request and the noise come from the trace of the \
      same name beside it (clip.h5 for clip.mp4), or from --trace. The shards of a suite can run on different machines; \
      `benben report merge` puts their reports together.
      """)

  @Argument(help: "The model folder.", completion: .directory)
  var model: String

  @Option(help: "A trace (.h5), a bundle, a suite, a video, or a folder of PNGs.", completion: .file())
  var golden: String

  @Option(
    help: "The trace that gives request and noise for a golden video.", completion: .file(extensions: ["h5"]))
  var trace: String?

  @Option(help: "teacher-forced, free-running or both.")
  var mode: Mode = .both

  @Option(
    help: "Which transformer to verify, where the model has several.",
    completion: .variant)
  var variant: String?

  @Option(help: "I/N: verify only the I-th of N parts of a suite, or of a golden's calls, counted from 1.")
  var shard: ShardOption?

  @OptionGroup var outputs: ReportOptions

  @Option(help: "Compare only so many of the transformer's calls, spread over the run.")
  var calls: Int?

  @Option(help: "Compare only as many of the transformer's calls as take about so long (90s, 10min, 2h).")
  var budget: TimeSpan?

  @Option(help: "Judge what `generate --approximate` makes: history[=NODES].")
  var approximate: Approximation?

  @Option(help: "Keep what the model computed, for `benben compare`.", completion: .file(extensions: ["h5"]))
  var traceOut: String?

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
    _ = try thresholdChanges()
    if let calls, calls < 1 { throw ValidationError("--calls must be at least 1, not \(calls)") }
    if calls != nil, budget != nil { throw ValidationError("--calls and --budget exclude each other") }
  }

  func run() async throws {
    try outputs.requireWritable(beside: traceOut, from: [model, self.golden, trace])
    let golden = try Golden(at: golden, trace: trace)
    if traceOut != nil, !golden.isTrace {
      throw ValidationError("--trace-out is for a golden trace or a bundle, which \(self.golden) is not")
    }
    if case .clip = golden {
      for option in idleOptions { common.say("note: \(option) does nothing: a clip has no calls") }
    }
    let model = try VideoModel(at: model, threads: common.threads)
    let changes = try thresholdChanges()
    let options = VerificationOptions(
      modes: mode.modes, variant: variant, stopsAtFirstFailure: failFast,
      sample: calls.map(CallSample.calls) ?? budget.map { .seconds($0.seconds) } ?? .all, part: shard?.shard,
      approximation: approximate ?? .off, runTrace: traceOut, command: command
    ) { thresholds in for change in changes { change.apply(to: &thresholds) } }
    let progress = ProgressLine(isQuiet: common.quiet)
    let common = common
    let show: @Sendable (VerificationEvent) throws -> Void = { try progress.show($0, common) }
    if case .suite(let suite) = golden {
      let report = try await model.verify(
        suite: suite, shard: shard?.shard, wantsFrames: outputs.report != nil, options: options, onEvent: show
      )
      try outputs.write(report, json: report.json, table: report.table, quiet: common.quiet)
      if !report.passed { throw ExitCode(1) }
    } else {
      let report = try await model.verify(against: golden, options: options, onEvent: show)
      let name = String(self.golden.split(separator: "/").last ?? "")
      let page = try SuiteReport(single: name, report, wantsFrames: outputs.report != nil)
      try outputs.write(
        page, json: JSONValue(encoding: report), table: report.table, quiet: common.quiet)
      if !report.passed { throw ExitCode(1) }
    }
  }

  /// What is asked for in vain of a golden clip.
  private var idleOptions: [String] {
    [
      calls.map { _ in "--calls" }, budget.map { _ in "--budget" },
      mode == .teacherForced ? "--mode teacher-forced" : nil,
    ].compactMap(\.self)
  }

  /// The command without the places of files, and without what does not change a report.
  private var command: String {
    var words = ["benben", "verify", "MODEL", "--golden", FileSystem.lastComponent(golden)]
    if let trace { words += ["--trace", FileSystem.lastComponent(trace)] }
    if let variant { words += ["--variant", variant] }
    if mode != .both { words += ["--mode", mode.rawValue] }
    if let calls { words += ["--calls", String(calls)] }
    if let budget { words += ["--budget", "\(Int(budget.seconds))s"] }
    if let approximate { words += ["--approximate", approximate.rawValue] }
    words += threshold.flatMap { ["--threshold", $0] }
    return words.map(\.quotedForShell).joined(separator: " ")
  }

  private func thresholdChanges() throws -> [Thresholds.Change] {
    try threshold.map { text in
      guard let change = Thresholds.Change(text) else {
        throw ValidationError("--threshold \(text): it is \(Thresholds.Change.form)")
      }
      return change
    }
  }
}
