import Clips
import Files
import JSON

/// The outcome of a verification: what was compared, how far it was from the golden, and the verdict.
///
/// It is written as JSON (`schemas/parity-report.schema.json`) and can be read back.
public struct ParityReport: Equatable, Sendable {
  /// The frames that a report's page shows.
  public struct ComparedClips: Equatable, Sendable {
    /// The comparison.
    public let comparison: ClipComparison
    /// Our clip and the golden's, cut to the number of frames that both have.
    public let clip: Clip, reference: Clip
  }

  /// The tensors that were compared, in order of computation.
  public internal(set) var tensors: [TensorComparison] = []
  /// The comparisons of clips, at most one per mode.
  public internal(set) var clips: [ClipComparison] = []
  /// The number of recorded transformer calls that were compared; a trace may hold only some of a run's calls.
  public package(set) var callsCompared = 0
  /// The number of calls of the whole run, when only some were to be compared; else nil.
  public package(set) var callsInRun: Int?
  /// The golden.
  public package(set) var golden: GoldenSubject
  /// The model.
  public let model: ModelSubject
  /// The program and the machine; nil in reports of versions before 0.2.0.
  public package(set) var run: RunSubject?
  /// The variant whose transformer computed, such as `384p`; nil when none did, and in earlier reports.
  public package(set) var variant: String?
  /// What the model approximated, such as `history=5`; nil for the exact computation.
  public package(set) var approximation: String?
  /// The part of a verification that this is, when several share one; nil for a whole one.
  public package(set) var part: Part?
  /// The clips that a report shows: those of the free run, if there was one.
  ///
  /// Not part of the JSON.
  public private(set) var shownClips: ComparedClips?

  /// Creates an empty report.
  package init(golden: GoldenSubject, model: ModelSubject) {
    self.golden = golden
    self.model = model
  }

  /// Appends a comparison of tensors.
  ///
  /// - Parameter slot: its place among the calls of the whole verification, for a part.
  package mutating func add(_ comparison: TensorComparison, slot: Int = 0) {
    tensors.append(comparison)
    part?.slots.append(slot)
  }

  /// Appends a comparison of clips.
  package mutating func add(_ comparison: ClipComparison, clip: Clip, reference: Clip) {
    var comparison = comparison
    if let cause = cause(of: comparison) { comparison.explain(by: cause) }
    clips.append(comparison)
    let count = min(clip.count, reference.count)
    if shownClips == nil || comparison.mode == .freeRunning {
      shownClips = ComparedClips(
        comparison: comparison, clip: clip.prefix(count), reference: reference.prefix(count))
    }
  }

  /// Returns what the tensors say about frames that differ; nil where they say nothing.
  private func cause(of comparison: ClipComparison) -> String? {
    let forced = tensors.filter { $0.mode == .teacherForced }
    let predictions = forced.filter { TracePath.kind(of: $0.path) == "dit/prediction" }
    if tensors.allSatisfy(\.passed),
      tensors.contains(where: { $0.mode == comparison.mode && $0.path == TracePath.decoderOutput.description }
      )
    {
      return
        "every tensor before the frames is close enough, the decoder's output among them: the golden's frames are not those of its own tensors, or more is asked of them than rounding leaves"
    }
    guard !predictions.isEmpty, predictions.allSatisfy(\.passed),
      let first = forced.first(where: { !$0.passed }), TracePath.kind(of: first.path) == "dit/input"
    else { return nil }
    return
      "the transformer predicts what the golden's did from the same inputs, and its inputs are others: other noise, or a golden whose parts are of several runs"
  }

  /// Whether a transformer computed what was compared.
  package var ranTransformer: Bool {
    callsCompared > 0 || tensors.contains { $0.mode == .freeRunning }
      || clips.contains { $0.mode == .freeRunning }
  }

  /// Whether nothing was compared.
  public var isEmpty: Bool { tensors.isEmpty && clips.isEmpty }

  /// Whether something was compared and all of it passed; a part may have nothing to compare.
  public var passed: Bool {
    (part != nil || !isEmpty) && tensors.allSatisfy(\.passed) && clips.allSatisfy(\.passed)
  }

  /// The first path, in order of computation, that does not match the golden; nil when all do.
  public var firstDivergence: String? {
    for mode in ComparisonMode.allCases {
      if let tensor = tensors.first(where: { $0.mode == mode && !$0.passed }) { return tensor.path }
      if clips.contains(where: { $0.mode == mode && !$0.passed }) { return TracePath.frames.description }
    }
    return nil
  }

  /// The comparison of the clips that a report shows, if clips were compared.
  public var shownComparison: ClipComparison? { clips.last { $0.mode == .freeRunning } ?? clips.last }
}

extension ParityReport: Codable {
  package static let schema = "benben.parity/1"

  private enum Keys: String, CodingKey {
    case schema, passed, firstDivergence, golden, model, variant, run, approximation, part
    case callsCompared, callsInRun, stages, frames, framesByMode
  }

  /// Reads a report; the verdict follows from its comparisons.
  ///
  /// - Throws: `DecodingError` when it is not of this schema.
  public init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: Keys.self)
    guard try members.decode(String.self, forKey: .schema) == Self.schema else {
      throw DecodingError.dataCorruptedError(
        forKey: .schema, in: members, debugDescription: "it is not \(Self.schema)")
    }
    golden = try members.decode(GoldenSubject.self, forKey: .golden)
    model = try members.decode(ModelSubject.self, forKey: .model)
    run = try members.decodeIfPresent(RunSubject.self, forKey: .run)
    variant = try members.decodeIfPresent(String.self, forKey: .variant)
    approximation = try members.decodeIfPresent(String.self, forKey: .approximation)
    part = try members.decodeIfPresent(Part.self, forKey: .part)
    callsCompared = try members.decode(Int.self, forKey: .callsCompared)
    callsInRun = try members.decodeIfPresent(Int.self, forKey: .callsInRun)
    tensors = try members.decode([TensorComparison].self, forKey: .stages)
    let byMode = try members.decode([String: ClipComparison].self, forKey: .framesByMode)
    clips = ComparisonMode.allCases.compactMap { byMode[$0.rawValue] }
  }

  /// Writes the report (`schemas/parity-report.schema.json`).
  public func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: Keys.self)
    try members.encode(Self.schema, forKey: .schema)
    try members.encode(passed, forKey: .passed)
    try members.encode(firstDivergence, forKey: .firstDivergence)
    try members.encode(golden, forKey: .golden)
    try members.encode(model, forKey: .model)
    try members.encodeIfPresent(run, forKey: .run)
    try members.encodeIfPresent(variant, forKey: .variant)
    try members.encodeIfPresent(approximation, forKey: .approximation)
    try members.encodeIfPresent(part, forKey: .part)
    try members.encode(callsCompared, forKey: .callsCompared)
    try members.encodeIfPresent(callsInRun, forKey: .callsInRun)
    try members.encode(tensors, forKey: .stages)
    try members.encode(shownComparison, forKey: .frames)
    let byMode = Dictionary(clips.map { ($0.mode.rawValue, $0) }) { first, _ in first }
    try members.encode(byMode, forKey: .framesByMode)
  }

  /// The report as a JSON document with sorted keys.
  public var jsonText: String {
    get throws { try JSONValue(encoding: self).prettyText }
  }
}
