import Foundation
import JSON

/// A report as one page of HTML that needs no network: the JSON report and the frames stand in it, and a script draws them.
public enum ParityPage {
  /// Frames for the page: which of the clip's, and a PNG of each.
  public struct Frame {
    let index: Int
    let golden: [UInt8], ours: [UInt8]

    /// A pair of frames.
    public init(index: Int, golden: [UInt8], ours: [UInt8]) {
      self.index = index
      self.golden = golden
      self.ours = ours
    }

    fileprivate var json: JSONValue {
      [
        "index": .integer(index), "golden": .string(Data(golden).base64EncodedString()),
        "ours": .string(Data(ours).base64EncodedString()),
      ]
    }
  }

  /// Where the template takes the data.
  private static let marker = "REPORT_DATA"

  /// The page.
  ///
  /// - Parameters:
  ///   - report: what ``ParityReport/json`` gives.
  ///   - clip: the frames that were compared, or nil when none were.
  public static func html(_ report: JSONValue, clip: FrameSequence?, frames: [Frame]) -> String {
    let shown: JSONValue =
      clip.map { clip in
        [
          "width": .integer(clip.width), "height": .integer(clip.height), "count": .integer(clip.count),
          "frames": .array(frames.map(\.json)),
        ]
      } ?? .null
    let data: JSONValue = ["report": report, "clip": shown]
    // Nothing in the data may end the element that it stands in.
    let text = data.canonicalText.replacingOccurrences(of: "<", with: "\\u003c")
    let template = String(decoding: PackageResources.report_html, as: UTF8.self)
    return template.replacingOccurrences(of: marker, with: text)
  }

  /// Which frames to show when at most `limit` can be: all of them, or the worst and others evenly spread.
  public static func selection(of comparison: FrameComparison, limit: Int) -> [Int] {
    let all = comparison.psnrDb.indices
    guard all.count > limit else { return Array(all) }
    let spread = (0..<max(limit - 1, 1)).map { $0 * (all.count - 1) / max(limit - 2, 1) }
    let worst = all.min { comparison.psnrDb[$0] < comparison.psnrDb[$1] }
    return Set(spread.filter(all.contains) + [worst].compactMap { $0 }).sorted()
  }
}
