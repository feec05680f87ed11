/// The outcome of checking every hash and invariant of a model (`schemas/check-report.schema.json`).
public struct IntegrityReport: Codable, Equatable, Sendable {
  /// Whether nothing was found.
  public let passed: Bool
  /// The issues, file by file.
  public let damage: [IntegrityIssue]

  /// A report of issues.
  package init(_ damage: [IntegrityIssue]) {
    self.damage = damage
    passed = damage.isEmpty
  }
}
