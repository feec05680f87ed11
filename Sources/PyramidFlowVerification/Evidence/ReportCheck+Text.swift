import JSON
import PyramidFlow

extension ReportCheck {
  /// Returns checks of reports of one model as lines of text.
  public static func lines(_ checks: [ReportCheck], of model: VideoModel) -> [String] {
    checks.flatMap(\.lines) + notes(checks, of: model)
  }

  /// Returns what reports of one model leave out together, as lines of text.
  static func notes(_ checks: [ReportCheck], of model: VideoModel) -> [String] {
    unverified(checks, of: model).map { ["note: \($0)"] } ?? []
  }

  /// The check as lines of text.
  public var lines: [String] {
    ["\(evidence.name): \(issues.isEmpty ? evidence.summary : "no evidence for this model")"]
      + issues.map { "  " + $0 } + remarks.map { "  note: " + $0 }
  }

  /// Returns checks of reports of one model as `schemas/report-check.schema.json` has them.
  package static func json(_ checks: [ReportCheck], of model: VideoModel) -> JSONValue {
    [
      "schema": "benben.report-check/1", "passed": .bool(checks.allSatisfy(\.passed)),
      "unverified": .array(unverifiedVariants(checks, of: model).map(JSONValue.string)),
      "reports": .array(
        checks.map { check in
          [
            "file": .string(check.evidence.name), "isEvidence": .bool(check.issues.isEmpty),
            "passed": .bool(check.evidence.report.passed),
            "issues": .array(check.issues.map(JSONValue.string)),
            "remarks": .array(check.remarks.map(JSONValue.string)),
          ]
        }),
    ]
  }
}
