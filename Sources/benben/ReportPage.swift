import Foundation
import Media
import Parity

/// Writes a verification's report as a page of HTML.
enum ReportPage {
  /// Frames of about this many bytes in all go into a page; PNGs of noise are as large as their frames.
  private static let frameBytes = 12_000_000

  static func write(_ report: ParityReport, to path: String) throws {
    let shown = report.shownFrames
    var frames: [ParityPage.Frame] = []
    if let shown {
      let (clip, golden) = (shown.clip, shown.reference)
      let size = clip.width * clip.height * 3
      func png(_ frames: FrameSequence, _ index: Int) throws -> [UInt8] {
        try PictureEncoder.png(
          frames.bytes[index * size..<(index + 1) * size], width: frames.width, height: frames.height)
      }
      let limit = max(2, frameBytes / (2 * size))
      frames = try ParityPage.selection(of: shown.comparison, limit: limit).map {
        .init(index: $0, golden: try png(golden, $0), ours: try png(clip, $0))
      }
    }
    let page = ParityPage.html(
      report.json, clip: shown?.clip, frames: frames)
    try Console.write(page, to: path)
  }
}
