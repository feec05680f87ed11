import Parity
import PyramidFlow

/// The options of a verification: which comparisons to make, and how strictly.
public struct VerificationOptions: Sendable {
  /// The comparisons to make.
  public var modes: Set<ComparisonMode>
  /// The transformer to verify, where the model has several; nil for 384p, else the first one.
  public var variant: String?
  /// Whether to stop at the first failure.
  public var stopsAtFirstFailure: Bool
  /// How many of the transformer's calls are compared one by one.
  public var sample: CallSample
  /// The part of a golden's calls to verify; nil for all.
  ///
  /// The first part verifies what is around the calls as well, the last one runs freely. The reports of all parts make that of
  /// a whole verification (``MergedReport``).
  public var part: SuiteShard?
  /// What the model approximates, to be judged.
  public var approximation: Approximation
  /// A file to keep what the model computed in, for `TraceComparison`; nil for none.
  public var runTrace: String?
  /// A command that repeats the verification, for the report; nil where a program runs it.
  public var command: String?
  /// A function that changes the thresholds derived from the model and the golden.
  public var adjustThresholds: @Sendable (inout Thresholds) -> Void

  /// Creates options, by default for both modes with the thresholds derived from the model and the golden.
  public init(
    modes: Set<ComparisonMode> = Set(ComparisonMode.allCases), variant: String? = nil,
    stopsAtFirstFailure: Bool = false, sample: CallSample = .all, part: SuiteShard? = nil,
    approximation: Approximation = .off,
    runTrace: String? = nil, command: String? = nil,
    adjustThresholds: @escaping @Sendable (inout Thresholds) -> Void = { _ in }
  ) {
    self.modes = modes
    self.variant = variant
    self.stopsAtFirstFailure = stopsAtFirstFailure
    self.sample = sample
    self.part = part
    self.approximation = approximation
    self.runTrace = runTrace
    self.command = command
    self.adjustThresholds = adjustThresholds
  }
}
