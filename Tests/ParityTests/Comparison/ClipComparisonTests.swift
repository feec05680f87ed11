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
}
