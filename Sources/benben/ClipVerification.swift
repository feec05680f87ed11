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
  private let thresholds: FrameThresholds
  private let variant: String?
  private let options: CommonOptions

  init(
    _ loaded: LoadedModel, golden: String, tracePath: String?, thresholds: FrameThresholds, variant: String?,
    options: CommonOptions
  ) throws {
    let path = tracePath ?? (golden as NSString).deletingPathExtension + ".h5"
    guard FileManager.default.fileExists(atPath: path) else {
      throw BenbenError(
        .missing, "nothing says how this clip was made", at: golden, because: "there is no trace \(path)",
        remedies: ["Name the trace with the run's request and noise: --trace FILE.h5"])
    }
    self.loaded = loaded
    self.golden = golden
    self.thresholds = thresholds
    self.variant = variant
    self.options = options
    trace = try GoldenTrace(path: path)
  }

  func run() throws -> ParityReport {
    let reference = try ClipReader.read(golden)
    guard let expected = FrameSequence(width: reference.width, height: reference.height, bytes: reference.frames)
    else { throw BenbenError(.malformed, "no clip", at: golden, because: "it holds no whole frame") }
    let request = try TraceRequest.generation(trace.request).validated()
    guard (expected.width, expected.height, expected.count) == (request.width, request.height, request.frameCount)
    else {
      throw BenbenError(
        .malformed, "the clip is of another run than the trace", at: golden,
        because: "it has \(expected.count) frames of \(expected.width)×\(expected.height), "
          + "the trace \(request.frameCount) of \(request.width)×\(request.height)")
    }
    let tiling = try TraceRequest.tiling(trace) ?? .saveMemory
    let clip = try Generator(loaded, variant: try loaded.variant(variant), quiet: options.quiet).run(
      request, noise: GoldenNoise(trace), tiling: tiling)
    var report = ParityReport(
      golden: ReportIdentity.golden(golden, trace.request), model: ReportIdentity.model(loaded.native),
      failFast: false)
    try report.add(
      FramesResult(
        mode: .freeRunning, comparison: FrameComparison(clip, reference: expected), thresholds: thresholds))
    return report
  }
}
