import Foundation
import Media
import Models
import Parity
import Tensors

/// Verifies a model against a golden video or a folder of PNGs: generates the clip of the recorded request with the
/// recorded noise and compares frame by frame.
struct ClipVerification {
  private let loaded: LoadedModel
  private let golden: String
  private let trace: GoldenTrace
  private let request: GenerationRequest
  private let image: Tensor?
  /// For lossless frames; those of a video follow from the clip.
  private let lossless: Thresholds
  private let adjust: (inout Thresholds) throws -> Void
  private let variant: String?
  private let options: CommonOptions

  /// A golden may have as many frames more or fewer than the run and is still compared, so that its report says what happened:
  /// one latent's.
  private static let strayFrames = 8

  init(
    _ loaded: LoadedModel, golden: String, tracePath: String?, lossless: Thresholds, variant: String?,
    options: CommonOptions,
    adjust: @escaping (inout Thresholds) throws -> Void
  ) throws {
    let path = tracePath ?? (golden as NSString).deletingPathExtension + ".h5"
    guard FileManager.default.fileExists(atPath: path) else {
      throw BenbenError(
        .missing, "nothing says how this clip was made", at: golden, because: "there is no trace \(path)",
        remedies: ["Name the trace with the run's request and noise: --trace FILE.h5"])
    }
    let trace = try GoldenTrace(path: path)
    guard trace.request.mode != "vae" else {
      throw BenbenError(
        .malformed, "this kind of run cannot be repeated", at: path,
        because: "it only decoded; a text-to-video (t2v) or image-to-video (i2v) trace is needed")
    }
    image = try TraceRequest.image(trace)
    guard image != nil || trace.request.mode != "i2v" else {
      throw BenbenError(
        .malformed, "this run cannot be repeated", at: path,
        because: "the trace lacks the image it started from")
    }
    request = try TraceRequest.generation(trace, family: loaded.family.name)
    self.trace = trace
    self.loaded = loaded
    self.golden = golden
    self.lossless = lossless
    self.adjust = adjust
    self.variant = variant
    self.options = options
  }

  func run() throws -> ParityReport {
    let reference = try ClipReader.read(golden, maximumFrames: request.frameCount + Self.strayFrames)
    guard
      let expected = FrameSequence(width: reference.width, height: reference.height, bytes: reference.frames)
    else { throw BenbenError(.malformed, "no clip", at: golden, because: "it holds no whole frame") }
    guard
      (expected.width, expected.height) == (request.width, request.height),
      abs(expected.count - request.frameCount) <= Self.strayFrames
    else {
      throw BenbenError(
        .malformed, "the clip is of another run than the trace", at: golden,
        because: "it has \(expected.count) frames of \(expected.width)×\(expected.height), "
          + "the trace \(request.frameCount) of \(request.width)×\(request.height)")
    }
    let tiling = try TraceRequest.tiling(trace) ?? .saveMemory
    let clip = try Generator(loaded, variant: variant, quiet: options.quiet).run(
      request, image: image, noise: GoldenNoise(trace), tiling: tiling)
    var thresholds = lossless.against(trace.request)
    if !isLossless {
      thresholds.frames = thresholds.frames.encoded(
        floor: FrameComparison(try encoded(clip), reference: clip))
    }
    try adjust(&thresholds)
    let shared = min(clip.count, expected.count)
    var report = ParityReport(
      golden: ReportIdentity.golden(golden, trace.request), model: ReportIdentity.model(loaded.native),
      failFast: false)
    try report.add(
      FramesResult(
        mode: .freeRunning, clip, reference: expected, encoding: isLossless ? nil : encoded,
        vmaf: VMAF.scores(of: clip.prefix(shared), reference: expected.prefix(shared), options),
        thresholds: thresholds.frames, caveat: caveat(codec: reference.codec)))
    return report
  }

  /// A folder of PNGs, or a single one, holds the very bytes.
  private var isLossless: Bool {
    let kind = ClipWriter.Format(path: golden)
    return kind == .folder || kind == .png
  }

  /// The floor is that of the encoder which imageio, the usual writer of `export_to_video`, uses.
  private func caveat(codec: String?) -> String? {
    guard !isLossless, let codec, codec != "h264" else { return nil }
    return
      "the golden is encoded as \(codec), and what H.264 loses was allowed; record it with imageio, or as PNGs"
  }

  /// A clip after the encoding of the official `export_to_video`.
  private func encoded(_ clip: FrameSequence) throws -> FrameSequence {
    let encoded = try LossyFloor.roundTrip(
      clip.bytes, width: clip.width, height: clip.height, framesPerSecond: trace.request.framesPerSecond)
    guard let frames = FrameSequence(width: encoded.width, height: encoded.height, bytes: encoded.frames),
      frames.count == clip.count
    else {
      throw BenbenError(
        .internalDefect, "the encoded clip has other frames", at: golden, because: "its floor")
    }
    return frames
  }
}
