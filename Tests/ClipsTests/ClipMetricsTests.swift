import Testing

@testable import Clips

struct ClipMetricsTests {
  private func frames(_ value: (Int) -> UInt8, count: Int = 2) throws -> Clip {
    try #require(Clip(width: 16, height: 12, bytes: (0..<16 * 12 * 3 * count).map(value)))
  }

  @Test func aClipHasWholeFrames() {
    #expect(Clip(width: 2, height: 1, bytes: Array(repeating: 0, count: 12))?.count == 2)
    for (width, height) in [(2, 2), (0, 1), (-1, -1), (.max, 2), (.max / 2, 1)] {
      #expect(Clip(width: width, height: height, bytes: Array(repeating: 0, count: 6)) == nil)
    }
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

  /// What does not change from frame to frame does not count, however far off it is.
  @Test func temporalDifferenceSeesChangesAlone() throws {
    let still = try frames({ UInt8($0 % 576 / 3 % 100) }, count: 3)
    let brighter = try frames({ UInt8($0 % 576 / 3 % 100 + 50) }, count: 3)
    #expect(ClipMetrics(still, reference: brighter).temporalPsnrDb == [100, 100])
    let flickers = try frames({ UInt8($0 % 576 / 3 % 100 + ($0 / 576 == 1 ? 1 : 0)) }, count: 3)
    let values = ClipMetrics(flickers, reference: still).temporalPsnrDb
    #expect(values.count == 2 && values.allSatisfy { abs($0 - 48.1308) < 1e-3 })
    #expect(ClipMetrics(still.prefix(1), reference: still.prefix(1)).temporalPsnrDb == [])
  }

  /// The expected values are those of the authors' package (`flip_evaluator` 1.7, "LDR", its defaults).
  @Test func flipIsThatOfItsAuthors() throws {
    func picture(_ value: (_ x: Int, _ y: Int) -> [Int]) throws -> Clip {
      let bytes = (0..<64).flatMap { y in (0..<96).flatMap { x in value(x, y).map { UInt8($0) } } }
      return try #require(Clip(width: 96, height: 64, bytes: bytes))
    }
    let gradient = try picture { [2 * $0, 3 * $1, $0 + $1] }
    let shifted = try picture { x, y in [2 * ((x + 91) % 96), 3 * y, (x + 91) % 96 + y] }
    let darker = try picture { [$0, 3 * $1 / 2, ($0 + $1) / 2] }
    #expect(ClipMetrics.flip(gradient, reference: gradient) == [0])
    #expect(abs(ClipMetrics.flip(shifted, reference: gradient)[0] - 0.179581) < 2e-5)
    #expect(abs(ClipMetrics.flip(darker, reference: gradient)[0] - 0.670374) < 2e-5)
  }
}
