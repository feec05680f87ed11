import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct ClipAlterationTests {
  /// A picture that moves, in colours that all of the changes change.
  private static func clip(_ change: (Int, SIMD3<Double>) -> (Int, SIMD3<Double>)) throws -> Clip {
    let (width, height, count) = (64, 32, 6)
    var bytes = [UInt8](repeating: 0, count: count * width * height * 3)
    for frame in 0..<count {
      for y in 0..<height {
        for x in 0..<width {
          let isInside = abs(x - 8 * frame - 10) < 8 && abs(y - 16) < 10
          let (target, colour) = change(frame, isInside ? SIMD3(200, 60, 40) : SIMD3(60, 90, 130))
          guard (0..<count).contains(target) else { continue }
          let place = ((target * height + y) * width + x) * 3
          for channel in 0..<3 { bytes[place + channel] = UInt8(colour[channel].rounded()) }
        }
      }
    }
    return try #require(Clip(width: width, height: height, bytes: bytes))
  }

  @Test func namesWhatHappened() throws {
    let ours = try Self.clip { ($0, $1) }
    func kind(_ change: (Int, SIMD3<Double>) -> (Int, SIMD3<Double>)) throws -> ClipAlteration? {
      try ClipAlteration.between(ours, reference: try Self.clip(change))?.kind
    }
    #expect(try kind { ($0 + 1, $1) } == .oneFrameLate)
    #expect(try kind { ($0 - 1, $1) } == .oneFrameEarly)
    #expect(try kind { ($0, SIMD3($1.z, $1.y, $1.x)) } == .exchangedChannels)
    #expect(try kind { ($0, SIMD3($1.y, $1.x, $1.z)) } == .exchangedRedAndGreen)
    #expect(try kind { ($0, SIMD3($1.x, $1.z, $1.y)) } == .exchangedGreenAndBlue)
    #expect(try kind { ($0, SIMD3($1.y, $1.z, $1.x)) } == .rotatedChannels)
    #expect(try kind { ($0, SIMD3($1.z, $1.x, $1.y)) } == .rotatedChannelsTwice)
    #expect(try kind { ($0, $1 * (219.0 / 255) + 16) } == .readAsFullRange)
    #expect(try kind { ($0, ($1 - 16) * (255.0 / 219)) } == .readAsLimitedRange)
    // Read by BT.709: Y, Cb and Cr by BT.601's luma, and back by BT.709's.
    #expect(
      try kind { frame, pixel in
        let luma = 0.299 * pixel.x + 0.587 * pixel.y + 0.114 * pixel.z
        let (cb, cr) = ((pixel.z - luma) / 1.772, (pixel.x - luma) / 1.402)
        return (frame, SIMD3(luma + 1.5748 * cr, luma - 0.187324 * cb - 0.468124 * cr, luma + 1.8556 * cb))
      } == .readAsBT709)
    #expect(try kind { ($0, $1.x > 100 ? SIMD3(130, 130, 130) : $1) } == nil)
    #expect(try kind { ($0, $1) } == nil)
  }
}
