import Foundation
import JSON
import Media
import Parity

/// Makes the pictures of a report's page.
enum ReportPage {
  /// Frames of about this many bytes in all go into a page; PNGs of noise are as large as their frames.
  private static let frameBytes = 12_000_000

  /// The frames of one of the page's goldens, where it has any.
  static func clip(of report: ParityReport, goldens: Int) throws -> JSONValue? {
    guard let shown = report.shownFrames else { return nil }
    let size = shown.clip.width * shown.clip.height * 3
    func png(_ frames: FrameSequence, _ index: Int) throws -> [UInt8] {
      try PictureEncoder.png(
        frames.bytes[index * size..<(index + 1) * size], width: frames.width, height: frames.height)
    }
    let limit = max(2, frameBytes / (2 * size * max(goldens, 1)))
    let frames = try ParityPage.selection(of: shown.comparison, limit: limit).map {
      ParityPage.Frame(index: $0, golden: try png(shown.reference, $0), ours: try png(shown.clip, $0))
    }
    return ParityPage.clip(shown.clip, frames: frames)
  }
}
