import Clips
import Testing

@testable import Media

struct VMAFTests {
  /// A clip against itself, and against one that is washed out.
  @Test(.enabled(if: VMAF.isAvailable, "no ffmpeg with libvmaf is installed"))
  func tellsAClipFromAWorseOne() throws {
    let (width, height) = (128, 64)
    var clip: [UInt8] = []
    for pixel in 0..<3 * width * height {
      let isLight = (pixel / 8 + pixel / width / 8).isMultiple(of: 2)
      clip += [UInt8](repeating: isLight ? 220 : 40, count: 3)
    }
    let gray = clip.map { level in UInt8((Int(level) + 1170) / 10) }
    func made(_ bytes: [UInt8]) throws -> Clip {
      try #require(Clip(width: width, height: height, bytes: bytes))
    }
    let same = try #require(VMAF.scores(of: try made(clip), reference: try made(clip)))
    let worse = try #require(VMAF.scores(of: try made(gray), reference: try made(clip)))
    #expect(same.count == 3 && worse.count == 3)
    #expect(same.allSatisfy { $0 > 95 } && worse.allSatisfy { $0 < 60 }, "\(same) \(worse)")
  }
}
