import Clips
import Files
import JSON
import Media
import Models
import Parity
import PyramidFlow
import Tensors

/// A verification of a model against a golden trace.
struct TraceVerification {
  let parts: LoadedModel
  let trace: GoldenTrace
  /// The validated request of the recorded run.
  let request: GenerationRequest
  let thresholds: Thresholds
  let options: VerificationOptions
  let onEvent: (VerificationEvent) throws -> Void
  var report: ParityReport
  /// The place of what is being compared: three for every call, before, at and after it.
  var slot = 0
  /// The place of what comes after all calls.
  private static let afterCalls = 1 << 40
  /// What keeps the computed values, if they are to be kept.
  private let runTrace: RunTrace?

  /// The error that ends a verification at its first failure, when that was requested.
  private struct StoppedAtFirstFailure: Error {}

  init(
    _ parts: LoadedModel, trace: GoldenTrace, bundle: GoldenBundle?, options: VerificationOptions,
    onEvent: @escaping (VerificationEvent) throws -> Void
  ) throws {
    var request = try GenerationRequest(trace, family: parts.family.name, bundle: bundle)
    request.approximation = options.approximation
    self.request = try request.validated()
    try request.requireFit(parts, variant: options.variant, at: trace)
    guard options.part == nil || options.sample == .all && !options.stopsAtFirstFailure else {
      throw BenbenError(
        .usage, "this verification has no parts", at: trace.path,
        because: "parts are of all calls, and not of a sample or of those before the first failure")
    }
    self.parts = parts
    self.trace = trace
    self.options = options
    self.onEvent = onEvent
    var thresholds = try Thresholds.defaults(for: parts.native).against(trace.request)
    options.adjustThresholds(&thresholds)
    self.thresholds = thresholds
    runTrace = try options.runTrace.map(RunTrace.init)
    let manifest = parts.native.manifest
    report = ParityReport(
      golden: GoldenSubject(
        path: trace.path, trace.request, bundle: bundle, source: manifest["source"]?.object ?? [:]),
      model: ModelSubject(family: parts.family.name, manifest: manifest))
    report.part = options.part.map {
      ParityReport.Part(
        index: $0.index, of: $0.count, golden: FileSystem.lastComponent(bundle?.path ?? trace.path),
        modes: options.modes)
    }
    let sha256 = try trace.sha256()
    try bundle?.requireTrace(sha256: sha256)
    report.golden.sha256 = sha256
  }

  /// Makes the comparisons of the requested modes.
  consuming func run() throws -> ParityReport {
    do {
      // Of parts, the first compares what is around the calls, and the last runs freely.
      let isFirst = options.part.map { $0.index == 1 } ?? true
      let isLast = options.part.map { $0.index == $0.count } ?? true
      if options.modes.contains(.teacherForced) {
        if isFirst {
          try verifyTexts()
          try verifyEncoding()
        }
        try verifySampling(withSchedule: isFirst)
        slot = Self.afterCalls
        if isFirst { try verifyDecoding() }
      }
      slot = Self.afterCalls + 1
      if options.modes.contains(.freeRunning), isLast { try verifyFreeRun() }
    } catch is StoppedAtFirstFailure {}
    try runTrace?.finish([
      "golden": JSONValue(encoding: report.golden), "model": JSONValue(encoding: report.model),
    ])
    guard !report.isEmpty || report.part != nil else {
      throw BenbenError(
        .malformed, "nothing to compare", at: trace.path,
        because: "the trace holds nothing that this mode computes")
    }
    return report
  }

  /// Appends a comparison; ends the verification when it fails and stopping was requested.
  mutating func add(_ comparison: TensorComparison) throws {
    report.add(comparison, slot: slot)
    if options.stopsAtFirstFailure, !comparison.passed { throw StoppedAtFirstFailure() }
  }

  /// Compares a tensor with the golden's, which must have the same number of values.
  mutating func compare(
    _ path: TracePath, _ values: Tensor, _ golden: Tensor, mode: ComparisonMode = .teacherForced,
    note: String? = nil
  ) throws {
    guard values.count == golden.count else {
      throw BenbenError(
        .malformed, "the trace is of another model or run", at: trace.place(of: path),
        because: "it has the shape \(golden.shape.text), ours is \(values.shape.text)")
    }
    try runTrace?.write(values.reshaped(golden.shape), path, mode: mode)
    let teacherForced = path.isText ? thresholds.text : thresholds.teacherForced
    let threshold = mode == .teacherForced ? teacherForced : thresholds.freeRunning
    let metrics = ErrorMetrics(values.elements, reference: golden.elements)
    // As of a run in fp16 whose clip is black.
    let isBroken = !metrics.nmse.isFinite && golden.elements.contains { !$0.isFinite }
    try add(
      TensorComparison(
        path, mode: mode, metrics: metrics, threshold: threshold,
        cosine: path.isLatent ? ErrorMetrics.cosine(values.elements, golden.elements) : nil,
        note: isBroken ? "the golden itself holds values that are no numbers" : note))
  }

  /// Compares a decoded clip, in f32 and in bytes.
  mutating func compare(_ decoded: Tensor, _ clip: Clip, mode: ComparisonMode) throws {
    if let golden = try trace.tensor(.decoderOutput, shape: [1, 3, -1, -1, -1]) {
      try compare(.decoderOutput, CausalVideoVAE.channelsFirst(decoded), golden, mode: mode)
    }
    guard let golden = try trace.clip() else { return }
    guard (golden.width, golden.height, golden.count) == (clip.width, clip.height, clip.count) else {
      throw BenbenError(
        .malformed, "the trace is of another run", at: trace.place(of: .frames),
        because:
          "it has \(golden.count) frames of \(golden.width)×\(golden.height), ours is \(clip.count) of "
          + "\(clip.width)×\(clip.height)")
    }
    let comparison = try ClipComparison(
      mode: mode, clip, reference: golden, vmaf: try vmaf(clip, golden, onEvent),
      thresholds: thresholds.frames)
    try runTrace?.write(clip, mode: mode)
    report.add(comparison, clip: clip, reference: golden)
    if options.stopsAtFirstFailure, !comparison.passed { throw StoppedAtFirstFailure() }
  }
}

/// Returns the VMAF of every frame of a clip against one of the same size and length, or nil when it cannot be
/// computed.
func vmaf(
  _ clip: Clip, _ reference: Clip, _ onEvent: (VerificationEvent) throws -> Void
) throws -> [Double]? {
  let scores = VMAF.scores(of: clip, reference: reference)
  if VMAF.isAvailable, scores == nil { try onEvent(.remark("no VMAF: the program ffmpeg failed")) }
  return scores
}
