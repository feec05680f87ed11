import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

/// The report as a page.
struct ParityPageTests {
  @Test func nothingInTheDataEndsItsElement() throws {
    let hostile = ParityReport.of(model: "miniflux", prompt: "</script><script>alert(1)</script><!--")
    var report = SuiteReport(suite: ["a"], model: hostile.model)
    report.add(SuiteReport.Entry(name: "a", outcome: .success(hostile), clip: nil))
    let page = try ParityPage.html(report)
    #expect(!page.contains("<script>alert"))
    #expect(page.contains("\\u003c/script>\\u003cscript>alert(1)"))
    #expect(!page.contains("REPORT_DATA"))
  }

  @Test func showsTheWorstFrame() throws {
    func clip(_ level: (Int) -> UInt8) throws -> Clip {
      let bytes = (0..<50).flatMap { [UInt8](repeating: level($0), count: 12) }
      return try #require(Clip(width: 2, height: 2, bytes: bytes))
    }
    let comparison = try ClipComparison(
      mode: .freeRunning, try clip { $0 == 31 ? 90 : 100 }, reference: try clip { _ in 100 },
      thresholds: Thresholds.exact.frames)
    #expect(ParityPage.selection(of: comparison, limit: 60) == Array(0..<50))
    let shown = ParityPage.selection(of: comparison, limit: 6)
    #expect(shown.count <= 6 && shown.contains(31) && shown.first == 0 && shown.last == 49)
  }
}
