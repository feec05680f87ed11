import Testing

@testable import Clips

struct ClipMetricsTests {
  private func frames(_ value: (Int) -> UInt8, count: Int = 2) throws -> Clip {
    try #require(Clip(width: 16, height: 12, bytes: (0..<16 * 12 * 3 * count).map(value)))
  }

  @Test func equalClipsAreIdentical() throws {
    let clip = try frames { UInt8(truncatingIfNeeded: $0 &* 37) }
    let comparison = ClipMetrics(clip, reference: clip)
    #expect(comparison.psnrMinDb == 100 && comparison.identicalFraction == 1 && comparison.maxAbs == 0)
    #expect(abs(comparison.ssimMin - 1) < 1e-12)
  }

  @Test func aLevelOffIsFortyEightDecibels() throws {
    let comparison = ClipMetrics(try frames { _ in 100 }, reference: try frames { _ in 101 })
    #expect(abs(comparison.psnrMinDb - 48.1308) < 1e-3)
    #expect(comparison.maxAbs == 1 && comparison.identicalFraction == 0)
  }

  @Test func ssimSeesStructure() throws {
    let pattern = try frames { $0 / 3 % 4 < 2 ? 40 : 200 }
    let inverse = try frames { $0 / 3 % 4 < 2 ? 200 : 40 }
    #expect(ClipMetrics(pattern, reference: inverse).ssimMin < 0)
  }

  @Test func partialFramesAreNoClip() {
    #expect(Clip(width: 4, height: 4, bytes: [1, 2, 3]) == nil)
    #expect(Clip(width: 0, height: 4, bytes: []) == nil)
  }
}
