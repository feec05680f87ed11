import Parity
import PyramidFlow

/// Which of a model's transformers reports are about.
extension ReportCheck {
  /// Returns the variants whose transformers no report that is evidence for the model names.
  static func unverifiedVariants(_ checks: [ReportCheck], of model: VideoModel) -> [String] {
    let verified = checks.filter(\.issues.isEmpty).reduce(into: Set()) { $0.formUnion($1.variants) }
    return model.variants.filter { !verified.contains($0) }
  }

  /// Returns what reports leave out of a model with several transformers; nil when that is nothing, and for a model with one,
  /// of which every report says itself whether a call was compared.
  static func unverified(_ checks: [ReportCheck], of model: VideoModel) -> String? {
    let missing = unverifiedVariants(checks, of: model)
    guard model.variants.count > 1, !checks.isEmpty, !missing.isEmpty else { return nil }
    let names = (missing.count > 1 ? "transformers " : "transformer ") + missing.joined(separator: ", ")
    return "no report names the \(names) of the model: nothing shows that anybody verified it"
  }

  /// Returns the variant whose transformer computed what a report compares; nil when none did or nobody knows.
  static func variant(of report: ParityReport, in model: VideoModel) -> String? {
    guard report.ranTransformer else { return nil }
    // Earlier reports do not say it.
    return report.variant ?? (model.variants.count == 1 ? model.variants.first : nil)
  }

  /// Returns how the transformer that a report names cannot be the model's; nil when it can.
  static func wrongTransformer(_ report: ParityReport, of model: VideoModel) -> String? {
    guard let variant = report.variant, !model.variants.contains(variant) else { return nil }
    return "of \(report.golden.file), it names a transformer that the model has not: \(variant)"
  }

  /// Returns what a reader should know of the transformer of a report; nil for a model that has but one.
  static func transformerRemark(_ report: ParityReport, of model: VideoModel) -> String? {
    guard model.variants.count > 1, report.ranTransformer else { return nil }
    let file = report.golden.file
    return variant(of: report, in: model).map { "\(file): computed by the transformer \($0)" }
      ?? "\(file): it does not say which of the model's transformers computed"
  }
}
