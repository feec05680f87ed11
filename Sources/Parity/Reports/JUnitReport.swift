import Foundation

/// A report in the JUnit format for CI systems: a test suite for each golden, a test case for each kind of comparison.
public enum JUnitReport {
  /// Returns the XML document.
  public static func xml(_ suite: SuiteReport) -> String {
    let suites = suite.entries.map { ($0, cases(of: $0)) }
    let all = suites.flatMap(\.1)
    var lines = [
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<testsuites name=\"benben verify\"\(counts(all))>",
    ]
    for (entry, cases) in suites {
      lines.append("  <testsuite name=\"\(escaped(entry.name))\"\(counts(cases))>")
      for test in cases {
        let head = "    <testcase classname=\"\(escaped(entry.name))\" name=\"\(escaped(test.name))\""
        if let problem = test.problem {
          lines.append("\(head)>")
          lines.append("      <\(test.kind) message=\"\(escaped(problem))\"/>")
          lines.append("    </testcase>")
        } else {
          lines.append("\(head)/>")
        }
      }
      lines.append("  </testsuite>")
    }
    lines.append("</testsuites>")
    return lines.joined(separator: "\n") + "\n"
  }

  private struct Case {
    let name: String
    /// The problem, or nil when there is none.
    var problem: String?
    /// The kind of problem: `failure` where something differs, `error` where nothing could be compared.
    var kind = "failure"
  }

  private static func cases(of entry: SuiteReport.Entry) -> [Case] {
    switch entry.outcome {
    case .failure(let failure): return [Case(name: "golden", problem: failure.text, kind: "error")]
    case .success(let report):
      var cases: [Case] = []
      var indexByName: [String: Int] = [:]
      for tensor in report.tensors {
        let name = "\(TracePath.kind(of: tensor.path)) (\(tensor.mode.rawValue))"
        let index = indexByName[name] ?? cases.endIndex
        if index == cases.endIndex {
          cases.append(Case(name: name))
          indexByName[name] = index
        }
        if !tensor.passed, cases[index].problem == nil {
          cases[index].problem =
            "\(tensor.path): nmse \(text(tensor.nmse)), allowed \(text(tensor.threshold))"
        }
      }
      for clip in report.clips.sorted(by: { $0.mode.rawValue < $1.mode.rawValue }) {
        let problem = "PSNR min \(text(clip.psnrMinDb)) dB, SSIM min \(text(clip.ssimMin))"
        cases.append(
          Case(
            name: "frames (\(clip.mode.rawValue))",
            problem: clip.passed ? nil : ([problem] + clip.explanations).joined(separator: ": ")))
      }
      return cases
    }
  }

  private static func text(_ number: Double) -> String {
    number.isFinite ? String(format: "%.4g", number) : "not finite"
  }

  private static func counts(_ cases: [Case]) -> String {
    let failures = cases.count(where: { $0.problem != nil && $0.kind == "failure" })
    let errors = cases.count(where: { $0.problem != nil && $0.kind == "error" })
    return " tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"\(errors)\""
  }

  /// Returns text escaped for an attribute; characters that XML does not allow become U+FFFD.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n", "\r": result += "&#\(scalar.value);"
      case _ where scalar.value < 0x20 || scalar.value == 0xFFFE || scalar.value == 0xFFFF:
        result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
  }
}
