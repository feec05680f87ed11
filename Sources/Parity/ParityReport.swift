import Foundation
import JSON
import Tensors

/// Whether a comparison was given the golden's inputs or only what the run started from.
public enum ComparisonMode: String, CaseIterable, Sendable {
  /// Every step is given the golden's inputs, so errors do not pile up.
  case teacherForced = "teacher-forced"
  /// Only tokens or embeddings and noise are given: what a user sees.
  case freeRunning = "free-running"
}

/// One compared tensor.
public struct StageResult: Sendable {
  /// Its path in the golden.
  public let path: String
  /// How it was computed.
  public let mode: ComparisonMode
  /// How far it is from the golden.
  public let metrics: ErrorMetrics
  /// The largest normalised mean squared error that passes.
  public let threshold: Double
  /// What was left out of the comparison, or nil.
  public let note: String?

  /// A result.
  public init(
    path: String, mode: ComparisonMode, metrics: ErrorMetrics, threshold: Double, note: String? = nil
  ) {
    self.path = path
    self.mode = mode
    self.metrics = metrics
    self.threshold = threshold
    self.note = note
  }

  /// Whether something was compared and the error is within the threshold.
  public var passed: Bool { metrics.count > 0 && metrics.nmse <= threshold }
}

/// How the frames of a clip compare, and whether that is enough.
public struct FramesResult: Sendable {
  /// How the clip was computed.
  public let mode: ComparisonMode
  /// The comparison.
  public let comparison: FrameComparison
  /// The VMAF of every frame, where it could be computed; it does not decide.
  public let vmaf: [Double]?
  /// What it must reach.
  public let thresholds: FrameThresholds
  /// The frames that were compared, ours and the golden's: as many as the shorter clip has.
  public let clip: FrameSequence, reference: FrameSequence
  /// How many frames the clips have.
  public let frameCounts: (clip: Int, golden: Int)
  /// What makes a failure less certain, if something does.
  private let caveat: String?
  /// A simple change that brings our frames nearer to the golden, if there is one.
  public let difference: FrameDifference.Finding?

  /// Compares two clips of the same size.
  ///
  /// - Parameters:
  ///   - encoding: a clip after the encoding that the golden went through, where it was a lossy one.
  ///   - caveat: what to say besides when the comparison fails.
  /// - Throws: what `encoding` throws.
  public init(
    mode: ComparisonMode, _ clip: FrameSequence, reference: FrameSequence,
    encoding: ((FrameSequence) throws -> FrameSequence)? = nil, vmaf: [Double]? = nil,
    thresholds: FrameThresholds, caveat: String? = nil
  ) throws {
    self.mode = mode
    self.caveat = caveat
    self.vmaf = vmaf
    frameCounts = (clip.count, reference.count)
    let count = min(clip.count, reference.count)
    let (clip, reference) = (clip.prefix(count), reference.prefix(count))
    comparison = FrameComparison(clip, reference: reference)
    self.thresholds = thresholds
    self.clip = clip
    self.reference = reference
    difference = try FrameDifference.between(clip, reference: reference, encoding: encoding)
  }

  /// Whether every threshold holds, the clips are of one length, and no simple change would bring ours nearer: thresholds for
  /// rounded weights alone would let a clip of little motion pass that is one frame off.
  public var passed: Bool {
    comparison.psnrMinDb >= thresholds.psnrMinDb && comparison.ssimMin >= thresholds.ssimMin
      && comparison.identicalFraction >= thresholds.identicalFraction && difference == nil
      && frameCounts.clip == frameCounts.golden
  }

  /// What happened, as far as it can be told; nothing when the frames pass.
  public var explanations: [String] {
    guard !passed else { return [] }
    var lines: [String] = []
    if frameCounts.clip != frameCounts.golden {
      lines.append("the golden has \(frameCounts.golden) frames, the run \(frameCounts.clip)")
    }
    if let difference {
      lines.append(
        String(
          format: "it looks as if %@: mean colours of blocks come to %.1f dB without that, %.1f with it",
          difference.kind.explanation, difference.psnrDb.after, difference.psnrDb.before))
    }
    if lines.isEmpty {
      lines.append("the pictures themselves differ: other weights, another request or other noise")
    }
    return lines + (caveat.map { [$0] } ?? [])
  }
}

/// The outcome of a verification.
public struct ParityReport: Sendable {
  /// What was compared, in order of computation.
  public private(set) var stages: [StageResult] = []
  /// The comparisons of frames.
  public private(set) var frames: [FramesResult] = []
  /// Calls of the transformer that were recorded and compared; a trace may hold some of a run's calls only.
  public var callsCompared = 0
  /// The golden and the model, as the report names them.
  public let golden: JSONValue, model: JSONValue
  /// Whether to stop at the first failure.
  private let failFast: Bool

  /// An empty report.
  public init(golden: JSONValue, model: JSONValue, failFast: Bool) {
    self.golden = golden
    self.model = model
    self.failFast = failFast
  }

  /// Thrown to end a run at its first failure when that was asked for.
  public struct StoppedAtFirstFailure: Error {}

  /// Adds a comparison.
  public mutating func add(_ result: StageResult) throws {
    stages.append(result)
    if failFast, !result.passed { throw StoppedAtFirstFailure() }
  }

  /// Adds a comparison of frames.
  public mutating func add(_ result: FramesResult) throws {
    frames.append(result)
    if failFast, !result.passed { throw StoppedAtFirstFailure() }
  }

  /// Whether something was compared and all of it passed.
  public var passed: Bool {
    !(stages.isEmpty && frames.isEmpty) && stages.allSatisfy(\.passed) && frames.allSatisfy(\.passed)
  }

  /// The first path, in order of computation, that does not match the golden.
  public var firstDivergence: String? {
    for mode in ComparisonMode.allCases {
      if let stage = stages.first(where: { $0.mode == mode && !$0.passed }) { return stage.path }
      if frames.contains(where: { $0.mode == mode && !$0.passed }) { return "frames" }
    }
    return nil
  }

  /// The frames that a user sees, when they were computed: those of the free run.
  public var shownFrames: FramesResult? { frames.last { $0.mode == .freeRunning } ?? frames.last }

  private static let schema = "benben.parity/1"

  /// Whether a document is a report as ``json`` gives it, as far as others read it.
  static func isReport(_ json: JSONValue) -> Bool {
    json["schema"]?.string == schema && json["passed"]?.bool != nil && json["stages"]?.array != nil
  }

  /// The report as JSON (`schemas/parity-report.schema.json`).
  public var json: JSONValue {
    let byMode = Dictionary(frames.map { ($0.mode.rawValue, Self.json($0)) }) { first, _ in first }
    return [
      "schema": .string(Self.schema),
      "passed": .bool(passed),
      "firstDivergence": firstDivergence.map(JSONValue.string) ?? .null,
      "golden": golden,
      "model": model,
      "callsCompared": .integer(callsCompared),
      "stages": .array(stages.map(Self.json)),
      "frames": shownFrames.map(Self.json) ?? .null,
      "framesByMode": .object(byMode),
    ]
  }

  /// A number, or null where it is not finite.
  private static func number(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .null }

  private static func json(_ stage: StageResult) -> JSONValue {
    var members: [String: JSONValue] = [
      "path": .string(stage.path), "mode": .string(stage.mode.rawValue), "nmse": number(stage.metrics.nmse),
      "maxAbs": number(stage.metrics.maxAbs), "sqnrDb": number(stage.metrics.sqnrDb),
      "psnrDb": number(stage.metrics.psnrDb),
      "threshold": .number(stage.threshold), "passed": .bool(stage.passed),
      "count": .integer(stage.metrics.count),
    ]
    if let note = stage.note { members["note"] = .string(note) }
    return .object(members)
  }

  private static func json(_ frames: FramesResult) -> JSONValue {
    let comparison = frames.comparison
    let perFrame = comparison.psnrDb.indices.map { index -> JSONValue in
      var members = ["psnrDb": number(comparison.psnrDb[index]), "ssim": number(comparison.ssim[index])]
      if let vmaf = frames.vmaf { members["vmaf"] = number(vmaf[index]) }
      return .object(members)
    }
    return [
      "mode": .string(frames.mode.rawValue),
      "psnrMeanDb": number(comparison.psnrMeanDb), "psnrMinDb": number(comparison.psnrMinDb),
      "ssimMean": number(comparison.ssimMean), "ssimMin": number(comparison.ssimMin),
      "maxAbs": .integer(comparison.maxAbs), "identicalFraction": .number(comparison.identicalFraction),
      "vmafMin": frames.vmaf?.min().map(number) ?? .null,
      "perFrame": .array(perFrame),
      "thresholds": [
        "psnrMinDb": .number(frames.thresholds.psnrMinDb), "ssimMin": .number(frames.thresholds.ssimMin),
        "identicalFraction": .number(frames.thresholds.identicalFraction),
        "reason": .string(frames.thresholds.reason),
      ],
      "clipFrames": .integer(frames.frameCounts.clip), "goldenFrames": .integer(frames.frameCounts.golden),
      "passed": .bool(frames.passed), "explanations": .array(frames.explanations.map { .string($0) }),
      "difference": frames.difference.map {
        [
          "kind": .string($0.kind.rawValue), "explanation": .string($0.kind.explanation),
          "psnrDb": .number($0.psnrDb.before), "psnrDbWithout": .number($0.psnrDb.after),
        ]
      } ?? .null,
    ]
  }
}
