import Checkpoints
import Clips
import Files
import JSON
import Parity
import PyramidFlow

/// What a report is worth as evidence for a model, without running it.
///
/// It tells whether the report is of this model, follows from its own numbers, and was judged no more loosely than the model's
/// types ask for. Whether its numbers were ever computed, only repeating the verification tells.
public struct ReportCheck: Sendable {
  /// The report.
  public let evidence: EvidenceReport
  /// Why the report is no evidence for the model, one sentence each; empty when it is.
  public let issues: [String]
  /// What a reader should know besides.
  public let remarks: [String]
  /// The variants whose transformers computed what the report compares.
  public let variants: Set<String>

  /// Whether the report is evidence for the model, and says that it matches the goldens.
  public var passed: Bool { issues.isEmpty && evidence.report.passed }

  /// Checks a report against a model.
  ///
  /// - Throws: `BenbenError` when the model cannot be opened.
  public init(_ evidence: EvidenceReport, of model: VideoModel) throws {
    self.evidence = evidence
    try model.native.requireSoundManifest()
    let own = try Thresholds.defaults(for: model.native)
    let report = evidence.report
    var issues: [String] = []
    if !evidence.isConsistent {
      issues.append("what it states does not follow from its numbers, or another version wrote it")
    }
    for subject in [report.model] + evidence.goldens.map(\.model) where subject != model.subject {
      issues.append("it is of another model: \(Self.difference(subject, model.subject))")
      break
    }
    issues += evidence.goldens.compactMap(Self.incompleteness)
    issues += evidence.goldens.compactMap { Self.loosened($0, own) }
    issues += evidence.goldens.compactMap { golden in
      golden.part.map {
        "it is part \($0.index) of \($0.count) of a verification of \(golden.golden.file); merge them"
      }
    }
    issues += evidence.goldens.compactMap { golden in
      golden.golden.sha256.flatMap {
        Self.isHash($0) ? nil : "what it gives for the SHA-256 of \(golden.golden.file) is none"
      }
    }
    if evidence.goldens.contains(where: { !Self.isVerification($0.run?.command) }) {
      issues.append("the command that it names is none of a verification")
    }
    issues += evidence.goldens.compactMap { Self.wrongTransformer($0, of: model) }
    let compared = Set(report.entries.map(\.name))
    let missing = report.suite.filter { !compared.contains($0) }
    if !missing.isEmpty {
      let names = missing.prefix(10).joined(separator: ", ") + (missing.count > 10 ? ", …" : "")
      issues.append("it lacks \(missing.count) goldens of its suite: \(names)")
    }
    self.issues = issues
    variants = Set(evidence.goldens.compactMap { Self.variant(of: $0, in: model) })
    remarks = Self.remarks(evidence, of: model)
  }

  private static func isHash(_ text: String) -> Bool {
    text.utf8.count == 64 && text.allSatisfy { $0.isHexDigit && !$0.isUppercase }
  }

  private static func difference(_ subject: ModelSubject, _ own: ModelSubject) -> String {
    if subject.family != own.family { return "a \(subject.family), and not a \(own.family)" }
    let ours = own.components.array ?? []
    let others = (subject.components.array ?? []).filter { !ours.contains($0) }.compactMap {
      $0["name"]?.string
    }
    return others.isEmpty ? "other components or plan" : others.joined(separator: ", ")
  }

  /// Whether a command is one that verifies and does nothing else, as a reader will run it.
  private static func isVerification(_ command: String?) -> Bool {
    guard let command else { return true }
    // What is in single quotes is a word.
    let words = command.replacing("'\\''", with: "").split(separator: "'", omittingEmptySubsequences: false)
      .enumerated()
      .filter { $0.offset.isMultiple(of: 2) }.map(\.element).joined()
    return command.hasPrefix("benben verify ") && !words.contains { ";|&$`<>(){}\\\"\n*?!#~".contains($0) }
  }

  /// Returns how what a golden's report holds is not what it says that it holds; nil when it is.
  private static func incompleteness(_ report: ParityReport) -> String? {
    let file = report.golden.file
    let predictions = report.tensors.count {
      $0.mode == .teacherForced && TracePath.kind(of: $0.path) == "dit/prediction"
    }
    if predictions != report.callsCompared {
      return
        "of \(file), it says that \(report.callsCompared) calls of the transformer were compared, and holds \(predictions)"
    }
    for mode in ComparisonMode.allCases {
      let paths = report.tensors.filter { $0.mode == mode }.map(\.path)
      if Set(paths).count != paths.count { return "of \(file), it holds a tensor twice" }
    }
    if let tensor = report.tensors.first(where: { !$0.isConsistent }) {
      return "of \(file), the ratio at \(tensor.path) is not that of its error"
    }
    return report.clips.allSatisfy(isPossible) ? nil : "of \(file), the numbers of its frames are none"
  }

  /// Whether the numbers of frames can be those of any.
  private static func isPossible(_ clip: ClipComparison) -> Bool {
    0...1 ~= clip.identicalFraction && 0...255 ~= clip.maxAbs && (!clip.passed || clip.explanations.isEmpty)
      && clip.frames.allSatisfy { frame in
        -1...1 ~= frame.ssim && frame.psnrDb <= ClipMetrics.identicalPSNR && 0...1 ~= frame.flip ?? 0
          && frame.temporalPsnrDb ?? 0 <= ClipMetrics.identicalPSNR
      }
  }

  /// What a verification of a whole run compares, by the beginnings of paths.
  private static let kinds: [(path: String, name: String, modes: [ComparisonMode])] = [
    ("text/", "the texts", [.teacherForced]), ("scheduler/", "the schedule", [.teacherForced]),
    ("dit/", "the transformer's calls", [.teacherForced]),
    ("latents/", "the latents", [.teacherForced, .freeRunning]),
    ("vae/output", "the decoder's output", [.teacherForced, .freeRunning]),
  ]

  /// Returns what a report leaves out of what a verification of a run compares; nil when it is all there, or only frames could
  /// be compared.
  private static func gaps(_ report: ParityReport) -> String? {
    guard !report.tensors.isEmpty else { return nil }
    var gaps: [String] = []
    for mode in ComparisonMode.allCases {
      let paths = report.tensors.filter { $0.mode == mode }.map(\.path)
      let hasFrames = report.clips.contains { $0.mode == mode }
      guard !paths.isEmpty || hasFrames else { continue }
      let missing = kinds.filter { kind in
        kind.modes.contains(mode) && !paths.contains { $0.hasPrefix(kind.path) }
      }
      gaps += (missing.map(\.name) + (hasFrames ? [] : ["the frames"])).map { "\($0) (\(mode.rawValue))" }
    }
    return gaps.isEmpty ? nil : gaps.joined(separator: ", ")
  }

  /// The number of the transformer's calls that a report's schedule has.
  private static func scheduledCalls(_ report: ParityReport) -> Int {
    report.tensors.filter {
      $0.mode == .teacherForced && TracePath.kind(of: $0.path) == "scheduler/timesteps"
    }
    .reduce(0) { $0.addingReportingOverflow($1.count).partialValue }
  }

  /// Returns how a golden was judged more loosely than a model of its types is; nil when it was not.
  private static func loosened(_ report: ParityReport, _ own: Thresholds) -> String? {
    let own = own.against(isFullPrecision: report.golden.isFullPrecision ?? true)
    let tensor = report.tensors.first { tensor in
      let allowed =
        tensor.mode == .freeRunning
        ? own.freeRunning : tensor.path.hasPrefix("text/") ? own.text : own.teacherForced
      return tensor.threshold > allowed
    }
    let clip = report.clips.first { clip in
      let allowed = clip.thresholds
      return isOfLossyVideo(clip, in: report)
        ? allowed.psnrMinDb < lowestOfLossyVideo.psnrDb || allowed.ssimMin < lowestOfLossyVideo.ssim
        : allowed.psnrMinDb < own.frames.psnrMinDb || allowed.ssimMin < own.frames.ssimMin
          || allowed.identicalFraction < own.frames.identicalFraction
    }
    guard let place = tensor?.path ?? clip.map({ _ in TracePath.frames.description }) else { return nil }
    return "\(report.golden.file) was judged more loosely than this model's types ask for, at \(place)"
  }

  /// Whether a clip was compared with a lossy video alone: what that is allowed depends on the clip itself, unless somebody
  /// gave it.
  private static func isOfLossyVideo(_ clip: ClipComparison, in report: ParityReport) -> Bool {
    report.tensors.isEmpty && clip.thresholds.identicalFraction == 0
      && clip.thresholds.reason != FrameThresholds.givenReason
  }

  /// What encoding leaves of noise, the least of any clip (13.6 dB), less what quantization may cost besides.
  private static let lowestOfLossyVideo = (psnrDb: 10.0, ssim: 0.1)

  private static func remarks(_ evidence: EvidenceReport, of model: VideoModel) -> [String] {
    var remarks: [String] = []
    for golden in evidence.goldens {
      let file = golden.golden.file
      if golden.golden.sha256 == nil {
        remarks.append("it does not say which \(file) it is about: no SHA-256")
      }
      if let transformer = transformerRemark(golden, of: model) { remarks.append(transformer) }
      if let approximation = golden.approximation {
        remarks.append("\(file): the model approximated (\(approximation))")
      }
      if golden.callsCompared == 0 {
        remarks.append("\(file): no call of the transformer was compared")
      } else if !golden.tensors.contains(where: { $0.mode == .freeRunning }),
        !golden.clips.contains(where: { $0.mode == .freeRunning })
      {
        remarks.append("\(file): every call was given the golden's inputs, and nothing ran freely")
      }
      if let gaps = gaps(golden) { remarks.append("\(file): it says nothing of \(gaps)") }
      let scheduled = scheduledCalls(golden)
      if golden.callsInRun == nil, 1..<max(scheduled, 1) ~= golden.callsCompared {
        remarks.append(
          "\(file): \(golden.callsCompared) of \(scheduled) calls of the transformer were compared")
      }
      if let clip = golden.clips.first(where: { isOfLossyVideo($0, in: golden) }) {
        let (psnr, ssim) = (clip.thresholds.psnrMinDb, clip.thresholds.ssimMin)
        remarks.append(
          "\(file): a lossy video, of which \((psnr * 10).rounded() / 10) dB and an SSIM of \(ssim.roundedDown(toDigits: 3)) were allowed"
        )
      }
      if let count = golden.callsInRun {
        remarks.append("\(file): \(golden.callsCompared) of \(count) calls of the transformer were compared")
      }
      if let others = golden.golden.otherFiles, !others.isEmpty {
        remarks.append(
          "\(file) was recorded from other files than the model's \(others.joined(separator: ", "))")
      }
    }
    let versions = Set(evidence.goldens.compactMap(\.run?.version)).subtracting([Benben.version])
    if !versions.isEmpty {
      remarks.append("it was made by version \(versions.sorted().joined(separator: ", "))")
    }
    return remarks
  }
}
