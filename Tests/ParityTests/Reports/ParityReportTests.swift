import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct ParityReportTests {
  private func report(_ errors: [(TracePath, ComparisonMode, Float)]) throws -> ParityReport {
    var report = ParityReport.empty
    for (path, mode, error) in errors {
      report.add(
        TensorComparison(
          path, mode: mode, metrics: ErrorMetrics([1 + error], reference: [1]), threshold: 1e-10))
    }
    return report
  }

  @Test func namesTheFirstDivergence() throws {
    let good = try report([(.decoderInput, .teacherForced, 0), (.decoderOutput, .freeRunning, 1e-6)])
    #expect(good.passed && good.firstDivergence == nil && good.table.hasSuffix("PASS\n"))
    let bad = try report([
      (.initialNoise, .freeRunning, 1), (.decoderInput, .teacherForced, 0),
      (.decoderOutput, .teacherForced, 1),
    ])
    #expect(!bad.passed && bad.firstDivergence == "vae/output" && bad.table.hasSuffix("FAIL\n"))
    let json = try JSONValue(encoding: bad)
    #expect(json["firstDivergence"] == "vae/output" && json["passed"] == false)
    #expect(try JSONValue(encoding: good)["firstDivergence"] == .null)
  }

  /// Frames that fail alone, and inputs that are others, do not speak against the weights.
  @Test(arguments: [
    (
      [TracePath.prediction(.init(unit: 0, stage: 0, step: 0)): Float(0), .decoderOutput: 0],
      "not those of its own tensors"
    ),
    (
      [
        .input(.init(unit: 0, stage: 0, step: 0), 0): 1, .prediction(.init(unit: 0, stage: 0, step: 0)): 0,
      ], "its inputs are others"
    ),
    ([.prediction(.init(unit: 0, stage: 0, step: 0)): 1], "other weights"),
  ])
  func saysWhatTheTensorsSayOfFrames(errors: [TracePath: Float], words: String) throws {
    var report = try report(
      errors.sorted { "\($0.key)" < "\($1.key)" }.map { ($0.key, .teacherForced, $0.value) })
    let bytes = (0..<192).map { UInt8($0 % 251) }
    let (ours, golden) = (
      try #require(Clip(width: 8, height: 8, bytes: bytes)),
      try #require(Clip(width: 8, height: 8, bytes: bytes.map { 255 - $0 }))
    )
    let thresholds = FrameThresholds(psnrMinDb: 90, ssimMin: 0.9, identicalFraction: 1, reason: "a test")
    report.add(
      try ClipComparison(mode: .teacherForced, ours, reference: golden, thresholds: thresholds),
      clip: ours, reference: golden)
    #expect(report.clips[0].explanations.count == 1 && report.clips[0].explanations[0].contains(words))
    #expect(report.table.contains("failed: the PSNR of the worst frame is"))
  }

  @Test func nothingComparedIsNoPass() { #expect(!ParityReport.empty.passed) }

  @Test func isReadBackAsItWasWritten() throws {
    var written = try report([(.decoderInput, .teacherForced, 0), (.decoderOutput, .freeRunning, .nan)])
    let clip = try #require(Clip(width: 8, height: 8, bytes: (0..<2 * 192).map { UInt8($0 % 251) }))
    let thresholds = FrameThresholds(psnrMinDb: 60, ssimMin: 0.9, identicalFraction: 1, reason: "a test")
    written.add(
      try ClipComparison(
        mode: .freeRunning, clip, reference: clip.prefix(1), vmaf: [99], thresholds: thresholds, caveat: "so"),
      clip: clip, reference: clip.prefix(1))
    let json = try JSONValue(encoding: written)
    let read = try json.decoded(as: ParityReport.self)
    #expect(read.tensors == written.tensors && read.clips == written.clips)
    #expect(read.golden == written.golden && read.model == written.model)
    #expect(try JSONValue(encoding: read) == json && read.table == written.table)
  }

  /// The keys that scripts rely on.
  @Test func hasTheKeysOfItsContract() throws {
    let json = try JSONValue(encoding: try report([(.decoderInput, .teacherForced, 0)]))
    #expect(
      json.object?.keys.sorted() == [
        "callsCompared", "firstDivergence", "frames", "framesByMode", "golden", "model", "passed", "schema",
        "stages",
      ])
    #expect(
      json["stages"]?.array?.first?.object?.keys.sorted() == [
        "count", "maxAbs", "mode", "nmse", "passed", "path", "psnrDb", "sqnrDb", "threshold",
      ])
    #expect(json["frames"] == .null)
  }
}

extension ParityReport {
  /// A report of nothing.
  static var empty: ParityReport { of(model: "miniflux") }

  /// A report of nothing by a model of a family.
  static func of(model family: String, prompt: String = "a ball") -> ParityReport {
    ParityReport(
      golden: GoldenSubject(
        path: "folder/golden.h5",
        GoldenTrace.Request(
          variant: family, mode: "t2v", prompt: prompt, negativePrompt: nil, width: 64, height: 64,
          latentFrames: 1, steps: [1, 1, 1], videoSteps: [1, 1, 1], guidanceScale: 1, videoGuidanceScale: 1,
          framesPerSecond: 24, isFullPrecision: true)),
      model: ModelSubject(family: family, manifest: ["components": []]))
  }
}
