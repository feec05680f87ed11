import Clips
import Foundation
import JSON

/// A frame-by-frame comparison of a clip with the golden's, and the verdict.
public struct ClipComparison: Equatable, Sendable {
  /// The comparison of one frame.
  public struct Frame: Codable, Equatable, Sendable {
    /// The PSNR in dB.
    @NullWhenInfinite public internal(set) var psnrDb: Double
    /// The SSIM of luma.
    @NullWhenInfinite public internal(set) var ssim: Double
    /// The VMAF, where it could be computed; it does not affect the verdict.
    public internal(set) var vmaf: Double?
    /// The mean ꟻLIP, 0 to 1, which does not affect the verdict; nil in reports of versions before 0.2.0.
    public internal(set) var flip: Double?
    /// The PSNR in dB of what changed from the frame before, nil for the first; it does not affect the verdict.
    public internal(set) var temporalPsnrDb: Double?
  }

  /// A known alteration that brings our frames closer to the golden.
  public struct Alteration: Codable, Equatable, Sendable {
    /// The alteration.
    public let kind: ClipAlteration
    /// The alteration, in a sentence.
    public let explanation: String
    /// The PSNR of the block means with the alteration and without it, in dB.
    public let psnrDb: Double, psnrDbWithout: Double
  }

  /// The mode in which the clip was computed.
  public let mode: ComparisonMode
  /// The comparisons of the frames that both clips have.
  public let frames: [Frame]
  /// The largest difference of a value, in 8-bit levels.
  public let maxAbs: Int
  /// The fraction of values that are equal.
  public let identicalFraction: Double
  /// The thresholds for the frames.
  public let thresholds: FrameThresholds
  /// Whether the golden was encoded with loss, which its thresholds allow for.
  public let isEncoded: Bool
  /// The numbers of frames of the clip and of the golden.
  public let clipFrames: Int, goldenFrames: Int
  /// The alteration that explains the difference, if one does.
  public let alteration: Alteration?
  /// The possible causes of a failure, one sentence each; empty when the clip passes.
  public private(set) var explanations: [String] = []

  /// Compares two clips of the same size.
  ///
  /// - Parameters:
  ///   - encoding: applies the lossy encoding that the golden went through; nil for a lossless golden.
  ///   - vmaf: the VMAF of every frame, where it could be computed.
  ///   - caveat: a sentence to add to the explanations of a failure.
  /// - Throws: any error thrown by `encoding`.
  package init(
    mode: ComparisonMode, _ clip: Clip, reference: Clip, encoding: ((Clip) throws -> Clip)? = nil,
    vmaf: [Double]? = nil, thresholds: FrameThresholds, caveat: String? = nil
  ) throws {
    self.mode = mode
    self.thresholds = thresholds
    isEncoded = encoding != nil
    (clipFrames, goldenFrames) = (clip.count, reference.count)
    let count = min(clip.count, reference.count)
    let (clip, reference) = (clip.prefix(count), reference.prefix(count))
    let metrics = ClipMetrics(clip, reference: reference)
    let flip = ClipMetrics.flip(clip, reference: reference)
    frames = metrics.psnrDb.indices.map {
      Frame(
        psnrDb: metrics.psnrDb[$0], ssim: metrics.ssim[$0], vmaf: vmaf?[$0], flip: flip[$0],
        temporalPsnrDb: $0 == 0 ? nil : metrics.temporalPsnrDb[$0 - 1])
    }
    maxAbs = metrics.maxAbs
    identicalFraction = metrics.identicalFraction
    alteration = try ClipAlteration.between(clip, reference: reference, encoding: encoding).map {
      Alteration(
        kind: $0.kind, explanation: $0.kind.explanation, psnrDb: $0.psnrDb.before,
        psnrDbWithout: $0.psnrDb.after)
    }
    explanations = passed ? [] : explained(caveat)
  }

  /// Puts what compared tensors say in place of a guess; what is known of the frames themselves stays.
  mutating func explain(by cause: String) {
    guard !passed, alteration == nil, clipFrames == goldenFrames else { return }
    explanations = [cause] + explanations.dropFirst()
  }

  /// What is beyond its limit, a sentence each.
  var excesses: [String] {
    func row(_ name: String, _ value: Double, _ limit: Double, _ unit: String) -> String? {
      value >= limit ? nil : "\(name) is \(value)\(unit), at least \(limit)\(unit) is asked for"
    }
    return [
      row("the PSNR of the worst frame", psnrMinDb, thresholds.psnrMinDb, " dB"),
      row("the SSIM of the worst frame", ssimMin, thresholds.ssimMin, ""),
      row("the share of equal values", identicalFraction, thresholds.identicalFraction, ""),
    ].compactMap(\.self)
  }

  private func explained(_ caveat: String?) -> [String] {
    var lines: [String] = []
    if clipFrames != goldenFrames {
      lines.append("the golden has \(goldenFrames) frames, the run \(clipFrames)")
    }
    if let alteration {
      lines.append(
        String(
          format: "it looks as if %@: mean colours of blocks come to %.1f dB without that, %.1f with it",
          alteration.explanation, alteration.psnrDbWithout, alteration.psnrDb))
    }
    if lines.isEmpty { lines.append(visibility.explanation) }
    return lines + (caveat.map { [$0] } ?? [])
  }

  /// The mean PSNR over frames, in dB.
  public var psnrMeanDb: Double { frames.reduce(0) { $0 + $1.psnrDb } / Double(max(frames.count, 1)) }
  /// The PSNR of the worst frame, in dB.
  public var psnrMinDb: Double { frames.map(\.psnrDb).min() ?? ClipMetrics.identicalPSNR }
  /// The mean SSIM over frames.
  public var ssimMean: Double { frames.reduce(0) { $0 + $1.ssim } / Double(max(frames.count, 1)) }
  /// The SSIM of the worst frame.
  public var ssimMin: Double { frames.map(\.ssim).min() ?? 1 }
  /// The VMAF of the worst frame, where it could be computed.
  public var vmafMin: Double? { frames.compactMap(\.vmaf).min() }
  /// The ꟻLIP of the worst frame.
  public var flipMax: Double? { frames.compactMap(\.flip).max() }
  /// The PSNR of the worst change from one frame to the next, in dB.
  public var temporalPsnrMinDb: Double? { frames.compactMap(\.temporalPsnrDb).min() }
  /// How far a viewer would see the difference of the worst frame.
  public var visibility: ClipVisibility {
    if maxAbs == 0 { return .equal }
    return isEncoded && passed ? .encoding : ClipVisibility(psnrDb: psnrMinDb, ssim: ssimMin)
  }

  /// Whether every threshold holds, the clips have the same length, and no known alteration would bring ours closer:
  /// thresholds for rounded weights alone would pass a clip of little motion that is one frame off.
  public var passed: Bool {
    psnrMinDb >= thresholds.psnrMinDb && ssimMin >= thresholds.ssimMin
      && identicalFraction >= thresholds.identicalFraction && alteration == nil && clipFrames == goldenFrames
  }
}

extension ClipComparison: Codable {
  private enum Keys: String, CodingKey {
    case mode, psnrMeanDb, psnrMinDb, ssimMean, ssimMin, maxAbs, identicalFraction, vmafMin, perFrame,
      thresholds
    case isEncoded, clipFrames, goldenFrames, passed, explanations, difference, flipMax, temporalPsnrMinDb,
      visibility
  }

  /// Reads a comparison; means, minima and the verdict are computed anew.
  public init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: Keys.self)
    mode = try members.decode(ComparisonMode.self, forKey: .mode)
    frames = try members.decode([Frame].self, forKey: .perFrame)
    maxAbs = try members.decode(Int.self, forKey: .maxAbs)
    identicalFraction = try members.decode(Double.self, forKey: .identicalFraction)
    thresholds = try members.decode(FrameThresholds.self, forKey: .thresholds)
    isEncoded = try members.decodeIfPresent(Bool.self, forKey: .isEncoded) ?? false
    clipFrames = try members.decode(Int.self, forKey: .clipFrames)
    goldenFrames = try members.decode(Int.self, forKey: .goldenFrames)
    alteration = try members.decodeIfPresent(Alteration.self, forKey: .difference)
    explanations = try members.decode([String].self, forKey: .explanations)
  }

  /// Writes the members of `frames` in `schemas/parity-report.schema.json`.
  public func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: Keys.self)
    try members.encode(mode, forKey: .mode)
    try members.encode(NullWhenInfinite(wrappedValue: psnrMeanDb), forKey: .psnrMeanDb)
    try members.encode(NullWhenInfinite(wrappedValue: psnrMinDb), forKey: .psnrMinDb)
    try members.encode(NullWhenInfinite(wrappedValue: ssimMean), forKey: .ssimMean)
    try members.encode(NullWhenInfinite(wrappedValue: ssimMin), forKey: .ssimMin)
    try members.encode(maxAbs, forKey: .maxAbs)
    try members.encode(identicalFraction, forKey: .identicalFraction)
    try members.encode(vmafMin, forKey: .vmafMin)
    try members.encodeIfPresent(flipMax, forKey: .flipMax)
    try members.encodeIfPresent(temporalPsnrMinDb, forKey: .temporalPsnrMinDb)
    try members.encode(visibility, forKey: .visibility)
    try members.encode(frames, forKey: .perFrame)
    try members.encode(thresholds, forKey: .thresholds)
    // Reports of versions before did not tell, and are still to be what they say.
    if isEncoded { try members.encode(true, forKey: .isEncoded) }
    try members.encode(clipFrames, forKey: .clipFrames)
    try members.encode(goldenFrames, forKey: .goldenFrames)
    try members.encode(passed, forKey: .passed)
    try members.encode(explanations, forKey: .explanations)
    try members.encode(alteration, forKey: .difference)
  }
}
