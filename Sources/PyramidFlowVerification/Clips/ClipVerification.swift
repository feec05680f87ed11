import Clips
import Files
import Media
import Models
import Parity
import PyramidFlow

/// A verification of a model against a golden video or a folder of PNGs: it generates the clip of the recorded request
/// with the recorded noise and compares frame by frame.
struct ClipVerification {
  private let parts: LoadedModel
  private let golden: String
  private let trace: GoldenTrace
  private let request: GenerationRequest
  private let image: Clip?
  private let options: VerificationOptions
  private let onEvent: (VerificationEvent) throws -> Void

  /// The largest difference in the number of frames at which a golden is still compared, so that its report says what
  /// happened: the frames of one latent frame.
  private static let strayFrames = 8

  init(
    _ parts: LoadedModel, golden: String, trace: GoldenTrace, options: VerificationOptions,
    onEvent: @escaping (VerificationEvent) throws -> Void
  ) throws {
    guard trace.request.mode != "vae" else {
      throw BenbenError(
        .malformed, "this kind of run cannot be repeated", at: trace.path,
        because: "it only decoded; a text-to-video (t2v) or image-to-video (i2v) trace is needed")
    }
    image = try trace.startImage()
    guard image != nil || trace.request.mode != "i2v" else {
      throw BenbenError(
        .malformed, "this run cannot be repeated", at: trace.path,
        because: "the trace lacks the image it started from")
    }
    var request = try GenerationRequest(trace, family: parts.family.name)
    request.approximation = options.approximation
    self.request = try request.validated()
    try request.requireFit(parts, variant: options.variant, at: trace)
    self.trace = trace
    self.parts = parts
    self.golden = golden
    self.options = options
    self.onEvent = onEvent
  }

  func run() throws -> ParityReport {
    let file = FileSystem.isFolder(golden) ? nil : try InputFile(path: golden)
    let (reference, codec) = try ClipReader.readWithCodec(
      golden, maximumFrames: request.frameCount + Self.strayFrames, size: (request.width, request.height))
    // The decoder opens files by their paths: it must be this one that it opened.
    try file?.checkUnchanged()
    guard
      abs(reference.count - request.frameCount) <= Self.strayFrames
    else {
      throw BenbenError(
        .malformed, "the clip is of another run than the trace", at: golden,
        because: "it has \(reference.count) frames of \(reference.width)×\(reference.height), "
          + "the trace \(request.frameCount) of \(request.width)×\(request.height)")
    }
    // What encoding loses is measured at the end; that there is a place for it is seen before the work.
    if !isLossless { _ = try TemporaryFolder() }
    let clip = try Pipeline(parts, variant: try parts.native.variant(options.variant)).run(
      request, image: image, noise: RecordedNoise(trace: trace), tiling: try trace.tiling() ?? .official,
      onEvent: { try onEvent(.generation($0, request)) })
    var thresholds = try Thresholds.defaults(for: parts.native).against(trace.request)
    if !isLossless {
      thresholds.frames = thresholds.frames.encoded(floor: ClipMetrics(try encoded(clip), reference: clip))
    }
    options.adjustThresholds(&thresholds)
    let shared = min(clip.count, reference.count)
    var report = ParityReport(
      golden: GoldenSubject(path: golden, trace.request),
      model: ModelSubject(family: parts.family.name, manifest: parts.native.manifest))
    report.golden.sha256 = try file?.sha256() ?? Digest.sha256(reference.bytes)
    report.add(
      try ClipComparison(
        mode: .freeRunning, clip, reference: reference, encoding: isLossless ? nil : encoded,
        vmaf: try vmaf(clip.prefix(shared), reference.prefix(shared), onEvent),
        thresholds: thresholds.frames, caveat: caveat(codec: codec)), clip: clip, reference: reference)
    return report
  }

  /// Whether the golden holds the exact bytes: a folder of PNGs, or a single one.
  private var isLossless: Bool {
    let kind = ClipWriter.Format(path: golden)
    return kind == .folder || kind == .png
  }

  /// Returns a caveat for a golden that is not encoded as H.264, which the baseline uses, as does imageio, the usual
  /// writer of `export_to_video`.
  private func caveat(codec: String?) -> String? {
    guard !isLossless, let codec, codec != "h264" else { return nil }
    return
      "the golden is encoded as \(codec), and what H.264 loses was allowed; record it with imageio, or as PNGs"
  }

  /// Returns a clip after the encoding of the official `export_to_video`.
  private func encoded(_ clip: Clip) throws -> Clip {
    let encoded = try EncodingBaseline.roundTrip(clip, framesPerSecond: trace.request.framesPerSecond)
    guard encoded.count == clip.count else {
      throw BenbenError(
        .internalDefect, "the encoded clip has other frames", at: golden, because: "its baseline")
    }
    return encoded
  }
}
