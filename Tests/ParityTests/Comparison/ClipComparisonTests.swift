import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct ClipComparisonTests {
  /// A clip that moves little passes loose thresholds although it is one frame off, and must not.
  @Test func whatASimpleChangeExplainsDoesNotPass() throws {
    func clip(shift: Int) throws -> Clip {
      var bytes: [UInt8] = []
      for frame in 0..<6 {
        for pixel in 0..<32 * 32 {
          let level = pixel % 32 * 5 + pixel / 32 * 2 + 3 * (frame + shift)
          bytes += [UInt8](repeating: UInt8(clamping: level), count: 3)
        }
      }
      return try #require(Clip(width: 32, height: 32, bytes: bytes))
    }
    let loose = FrameThresholds(psnrMinDb: 10, ssimMin: 0.1, identicalFraction: 0, reason: "")
    func result(shift: Int, frames: Int = 6) throws -> ClipComparison {
      try ClipComparison(
        mode: .freeRunning, try clip(shift: 0), reference: try clip(shift: shift).prefix(frames),
        thresholds: loose)
    }
    #expect(try result(shift: 0).passed && result(shift: 0).explanations.isEmpty)
    let late = try result(shift: -1)
    #expect(late.psnrMinDb > 20 && !late.passed && late.alteration?.kind == .oneFrameLate)
    let short = try result(shift: 0, frames: 5)
    #expect(short.psnrMinDb == ClipMetrics.identicalPSNR && !short.passed)
    #expect(short.explanations == ["the golden has 5 frames, the run 6"])
    let lacksTheFirst = try result(shift: 1, frames: 5)
    #expect(lacksTheFirst.alteration?.kind == .oneFrameEarly && lacksTheFirst.explanations.count == 2)
  }

  /// What passes against a video that lost much in encoding is not called another clip.
  @Test func whatEncodingLosesIsCalledSo() throws {
    func clip(_ level: (Int) -> Int) throws -> Clip {
      try #require(Clip(width: 16, height: 16, bytes: (0..<768).map { UInt8(clamping: level($0)) }))
    }
    let (ours, golden) = (try clip { $0 * 37 % 256 }, try clip { $0 * 91 % 256 })
    func comparison(psnr: Double, isEncoded: Bool) throws -> ClipComparison {
      try ClipComparison(
        mode: .freeRunning, ours, reference: golden, encoding: isEncoded ? { $0 } : nil,
        thresholds: FrameThresholds(psnrMinDb: psnr, ssimMin: -1, identicalFraction: 0, reason: ""))
    }
    let passing = try comparison(psnr: 1, isEncoded: true)
    #expect(passing.passed && passing.visibility == .encoding && passing.excesses.isEmpty)
    #expect(try comparison(psnr: 1, isEncoded: false).visibility == .anotherClip)
    let failing = try comparison(psnr: 99, isEncoded: true)
    #expect(failing.visibility == .anotherClip && failing.excesses.count == 1)
    #expect(failing.excesses[0].hasSuffix("at least 99.0 dB is asked for"))
    let read = try JSONValue(encoding: passing).decoded(as: ClipComparison.self)
    #expect(read == passing && read.visibility == .encoding)
  }
}
