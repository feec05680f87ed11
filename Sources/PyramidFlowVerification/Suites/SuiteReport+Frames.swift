import Clips
import JSON
import Media
import Parity

extension SuiteReport {
  /// Creates the report of a single golden as a suite of one, for its page.
  ///
  /// - Parameters:
  ///   - name: the golden's name.
  ///   - report: the golden's report.
  ///   - wantsFrames: whether the page will show frames.
  public init(single name: String, _ report: ParityReport, wantsFrames: Bool) throws {
    self.init(suite: [name], model: report.model)
    add(try Entry(name: name, report, framesShared: wantsFrames ? 1 : nil))
  }
}

extension SuiteReport.Entry {
  /// The approximate size of all frames of a page, in bytes; PNGs of noise are as large as their frames.
  private static let frameBytes = 12_000_000

  /// Creates an entry with a report.
  ///
  /// - Parameter goldens: the number of goldens that share the page's frames; nil for no frames.
  init(name: String, _ report: ParityReport, framesShared goldens: Int?) throws {
    self.init(
      name: name, outcome: .success(report),
      clip: try goldens.flatMap { try Self.clip(of: report, goldens: $0) })
  }

  /// Returns the frames of a golden for the page, or nil when it has none.
  private static func clip(of report: ParityReport, goldens: Int) throws -> JSONValue? {
    guard let shown = report.shownClips else { return nil }
    let limit = max(2, frameBytes / (2 * shown.clip.frameSize * max(goldens, 1)))
    let frames = try ParityPage.selection(of: shown.comparison, limit: limit).map {
      ParityPage.Frame(
        index: $0, golden: try PictureEncoder.png(shown.reference, frame: $0),
        ours: try PictureEncoder.png(shown.clip, frame: $0))
    }
    return ParityPage.clip(shown.clip, frames: frames)
  }
}
