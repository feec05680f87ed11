import Clips
import Files
import Foundation
import JSON
import Tensors

/// A report as one page of HTML that needs no network: the JSON reports and the frames stand in it, and a script draws them.
public enum ParityPage {
  /// Frames for the page: which of the clip's, and a PNG of each.
  package struct Frame {
    let index: Int
    let golden: [UInt8], ours: [UInt8]

    /// A pair of frames.
    package init(index: Int, golden: [UInt8], ours: [UInt8]) {
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

  /// Where the template takes the data, and what stands around it.
  private static let marker = "REPORT_DATA"
  private static let opening = "<script type=\"application/json\" id=\"data\">", closing = "</script>"
  /// Pages are written to hold about 16 MB of pictures.
  private static let longestPage = 1 << 30

  /// The page of a suite, or of a single golden.
  public static func html(_ report: SuiteReport) throws -> String {
    // Nothing in the data may end the element that it stands in.
    let text = try report.json(withClips: true).canonicalText.replacingOccurrences(of: "<", with: "\\u003c")
    let template = String(decoding: PackageResources.report_html, as: UTF8.self)
    return template.replacingOccurrences(of: marker, with: text)
  }

  /// A clip with some of its frames.
  package static func clip(_ clip: Clip, frames: [Frame]) -> JSONValue {
    [
      "width": .integer(clip.width), "height": .integer(clip.height), "count": .integer(clip.count),
      "frames": .array(frames.map(\.json)),
    ]
  }

  /// Which frames to show when at most `limit` can be: all of them, or the worst and others evenly spread.
  package static func selection(of comparison: ClipComparison, limit: Int) -> [Int] {
    let all = comparison.frames.indices
    guard all.count > limit else { return Array(all) }
    let spread = (0..<max(limit - 1, 1)).map { $0 * (all.count - 1) / max(limit - 2, 1) }
    let worst = all.min { comparison.frames[$0].psnrDb < comparison.frames[$1].psnrDb }
    return Set(spread.filter(all.contains) + [worst].compactMap { $0 }).sorted()
  }

  /// Reads a suite's report back from its page, with the frames, or from its JSON, without.
  ///
  /// - Throws: ``BenbenError`` when the file is neither.
  public static func report(at path: String) throws -> SuiteReport {
    let text = String(decoding: try InputFile.contents(of: path, limit: longestPage), as: UTF8.self)
    let data: Substring
    if let start = text.range(of: opening)?.upperBound,
      let end = text.range(of: closing, range: start..<text.endIndex)?.lowerBound
    {
      data = text[start..<end]
    } else {
      data = text[...]
    }
    do {
      return try SuiteReport(json: JSONValue(parsing: Array(data.utf8)), path: path)
    } catch let error as JSONError {
      throw BenbenError(.malformed, "no report of a suite", at: path, because: "\(error)")
    }
  }
}
