import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct JUnitReportTests {
  @Test func writesJUnit() {
    var report = SuiteReportTests.report(["a", "b"])
    report.add(.init(name: "c", outcome: .failure(.init(text: "\"<&>\u{1}\"\n")), clip: nil))
    #expect(
      JUnitReport.xml(report) == """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="benben verify" tests="3" failures="1" errors="1">
          <testsuite name="a" tests="1" failures="0" errors="0">
            <testcase classname="a" name="dit/prediction (teacher-forced)"/>
          </testsuite>
          <testsuite name="b" tests="1" failures="1" errors="0">
            <testcase classname="b" name="dit/prediction (teacher-forced)">
              <failure message="dit/unit0/stage1/step2/prediction: nmse 0.25, allowed 0.0001"/>
            </testcase>
          </testsuite>
          <testsuite name="c" tests="1" failures="0" errors="1">
            <testcase classname="c" name="golden">
              <error message="&quot;&lt;&amp;&gt;\u{FFFD}&quot;&#10;"/>
            </testcase>
          </testsuite>
        </testsuites>

        """)
  }
}
