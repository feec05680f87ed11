import Clips
import Files
import Foundation
import JSON
import Tensors

/// A report as one page of HTML that needs no network: it holds the JSON reports and the frames, which a script draws.
public enum ParityPage {
  /// A pair of frames for the page: its index in the clips, and a PNG of each clip's frame.
  package struct Frame {
    let index: Int
    let golden: [UInt8], ours: [UInt8]

    /// Creates a pair of frames.
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

  /// The template's placeholder for the data, and the element around it.
  private static let marker = "REPORT_DATA"
  private static let opening = "<script type=\"application/json\" id=\"data\">", closing = "</script>"
  /// The largest page that is read, in bytes; pages are written to hold about 16 MB of pictures.
  private static let maximumPage = 1 << 28

  /// Returns the page of a suite, or of a single golden.
  public static func html(_ report: SuiteReport) throws -> String {
    // Nothing in the data may end the element that contains it.
    let text = try report.json(withClips: true).canonicalText.replacingOccurrences(of: "<", with: "\\u003c")
    let template = String(decoding: PackageResources.report_html, as: UTF8.self)
    return template.replacingOccurrences(of: marker, with: text)
  }

  /// Returns a clip with some of its frames, as data of the page.
  package static func clip(_ clip: Clip, frames: [Frame]) -> JSONValue {
    [
      "width": .integer(clip.width), "height": .integer(clip.height), "count": .integer(clip.count),
      "frames": .array(frames.map(\.json)),
    ]
  }

  /// Returns the indices of the frames to show, at most `limit`: all frames, or the worst and others evenly spread.
  package static func selection(of comparison: ClipComparison, limit: Int) -> [Int] {
    let all = comparison.frames.indices
    guard all.count > limit else { return Array(all) }
    let spread = (0..<max(limit - 1, 1)).map { $0 * (all.count - 1) / max(limit - 2, 1) }
    let worst = all.min { comparison.frames[$0].psnrDb < comparison.frames[$1].psnrDb }
    return Set(spread.filter(all.contains) + [worst].compactMap { $0 }).sorted()
  }

  /// Reads the JSON of a report, or the data of its page.
  ///
  /// - Throws: ``BenbenError`` when the file is neither.
  package static func json(at path: String) throws -> JSONValue { try read(path).json }

  /// Returns whether a file is the page of a report as this version writes it, or no page; what else a page holds, nobody has
  /// vouched for.
  package static func isOwn(_ path: String, of report: SuiteReport) throws -> Bool {
    let (_, page) = try read(path)
    return try page.map { try $0.elementsEqual(html(report).utf8) } ?? true
  }

  /// Reads the JSON of a report, or the data of its page with the page.
  private static func read(_ path: String) throws -> (json: JSONValue, page: [UInt8]?) {
    let page = try InputFile.contents(of: path, limit: maximumPage)
    let data = page.withUnsafeBufferPointer { page -> Range<Int> in
      guard let start = page.firstRange(ofBytes: opening, from: 0)?.upperBound,
        let end = page.firstRange(ofBytes: closing, from: start)?.lowerBound
      else { return 0..<page.count }
      return start..<end
    }
    do {
      return (try JSONValue(parsing: Array(page[data])), data.count < page.count ? page : nil)
    } catch {
      throw BenbenError(.malformed, "no report of a verification", at: path, because: "\(error)")
    }
  }
}
