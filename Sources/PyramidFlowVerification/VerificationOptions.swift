import Parity

/// What to compare, and how strictly.
public struct VerificationOptions: Sendable {
  /// Which comparisons to make.
  public var modes: Set<ComparisonMode>
  /// The transformer to verify, where the model has several; nil for 384p, or the only one.
  public var variant: String?
  /// Whether to stop at the first failure.
  public var stopsAtFirstFailure: Bool
  /// Changes the thresholds that follow from the model and the golden.
  public var adjustThresholds: @Sendable (inout Thresholds) -> Void

  /// Both modes, with the thresholds that follow from the model and the golden.
  public init(
    modes: Set<ComparisonMode> = Set(ComparisonMode.allCases), variant: String? = nil,
    stopsAtFirstFailure: Bool = false,
    adjustThresholds: @escaping @Sendable (inout Thresholds) -> Void = { _ in }
  ) {
    self.modes = modes
    self.variant = variant
    self.stopsAtFirstFailure = stopsAtFirstFailure
    self.adjustThresholds = adjustThresholds
  }
}
