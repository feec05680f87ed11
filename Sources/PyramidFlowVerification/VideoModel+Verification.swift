import Files
import Models
import Parity
import PyramidFlow

extension VideoModel {
  /// Verifies the model against a golden trace.
  ///
  /// *Teacher-forced*, every step takes the golden's inputs, so that errors do not accumulate: this names the first
  /// block that diverges. *Free-running*, only texts and noise are the golden's: this is what a user sees.
  ///
  /// - Parameters:
  ///   - trace: the golden trace.
  ///   - options: the comparisons to make, and their strictness.
  ///   - onEvent: receives progress on the model's thread; an error that it throws ends the verification.
  /// - Throws: `BenbenError` when the trace is of another family or malformed; `CancellationError` when the task was
  ///   cancelled.
  public func verify(
    against trace: GoldenTrace, options: VerificationOptions = VerificationOptions(),
    onEvent: @escaping @Sendable (VerificationEvent) throws -> Void = { _ in }
  ) throws -> ParityReport {
    try verified(options, onEvent) { options in
      try withParts { parts in
        try TraceVerification(parts, trace: trace, bundle: nil, options: options, onEvent: onEvent).run()
      }
    }
  }

  /// Verifies the model against a single golden: a trace, a bundle, or a clip.
  ///
  /// - Parameters:
  ///   - golden: the golden.
  ///   - options: the comparisons to make, and their strictness.
  ///   - onEvent: receives progress on the model's thread; an error that it throws ends the verification.
  /// - Throws: `BenbenError` also when the golden is a suite; see ``verify(suite:shard:wantsFrames:options:onEvent:)``.
  public func verify(
    against golden: Golden, options: VerificationOptions = VerificationOptions(),
    onEvent: @escaping @Sendable (VerificationEvent) throws -> Void = { _ in }
  ) throws -> ParityReport {
    switch golden {
    case .trace(let trace): return try verify(against: trace, options: options, onEvent: onEvent)
    case .bundle(let bundle):
      try bundle.requireSound()
      return try verified(options, onEvent) { options in
        try withParts {
          try TraceVerification(
            $0, trace: GoldenTrace(at: bundle.tracePath), bundle: bundle, options: options, onEvent: onEvent
          ).run()
        }
      }
    case .clip(let path, _) where options.part != nil:
      throw BenbenError(
        .usage, "a clip has no parts", at: path,
        because: "it is generated as a whole; traces and suites are shared")
    case .clip(let path, _) where options.runTrace != nil:
      throw BenbenError(
        .usage, "a clip gives no trace", at: path,
        because: "what the model computed is kept where a trace is verified")
    case .clip(let path, let trace):
      return try verified(options, onEvent) { options in
        try withParts {
          try ClipVerification($0, golden: path, trace: trace, options: options, onEvent: onEvent).run()
        }
      }
    case .suite(let suite):
      throw BenbenError(
        .usage, "not a single golden", at: suite.path, because: "it is a suite of \(suite.names.count)")
    }
  }

  /// Verifies the model against the bundles of a suite, one after the other.
  ///
  /// A bundle that cannot be compared is reported, and the others are still verified.
  ///
  /// - Parameters:
  ///   - suite: the suite.
  ///   - shard: the part of the suite to verify; nil for all of it.
  ///   - wantsFrames: whether the report's page will show frames.
  ///   - options: the comparisons to make, and their strictness; ``VerificationOptions/part`` is that of a single golden, and
  ///     is not read.
  ///   - onEvent: receives progress on the model's thread; an error that it throws ends the verification.
  /// - Throws: `BenbenError` when there is nothing to verify, or one file would have to keep what was computed for all
  ///   bundles; `CancellationError` when the task was cancelled.
  public func verify(
    suite: GoldenSuite, shard: SuiteShard? = nil, wantsFrames: Bool = false,
    options: VerificationOptions = VerificationOptions(),
    onEvent: @escaping @Sendable (VerificationEvent) throws -> Void = { _ in }
  ) throws -> SuiteReport {
    guard options.runTrace == nil else {
      throw BenbenError(
        .usage, "a suite gives no trace", at: suite.path,
        because: "every bundle's would replace the one before", remedies: ["Verify one bundle."])
    }
    // A shard of a suite is of whole goldens.
    var options = options
    options.part = nil
    options.variant = try chosenVariant(options, onEvent)
    var thresholds = try Thresholds.defaults(for: native)
    options.adjustThresholds(&thresholds)
    var report = SuiteReport(
      suite: suite.names, model: subject,
      basis: .init(
        version: Benben.version, suiteSha256: suite.sha256, thresholds: thresholds,
        approximation: options.approximation.reported, variant: options.variant))
    let names = shard?.part(of: suite.names) ?? suite.names
    guard !names.isEmpty else {
      throw BenbenError(
        .usage, "nothing to verify", at: suite.path,
        because: "the suite has \(suite.names.count) bundles, fewer than shards")
    }
    for (index, name) in names.enumerated() {
      let entry: SuiteReport.Entry
      do {
        let verified = try verify(
          against: Golden.bundle(try suite.bundle(name)), options: options, onEvent: onEvent)
        entry = try SuiteReport.Entry(
          name: name, verified, framesShared: wantsFrames ? suite.names.count : nil)
      } catch let error as BenbenError where [.malformed, .missing, .usage].contains(error.kind) {
        entry = SuiteReport.Entry(name: name, outcome: .failure(.init(text: error.description)), clip: nil)
      }
      report.add(entry)
      try onEvent(.verified(golden: name, index: index, of: names.count, passed: entry.passed))
      if options.stopsAtFirstFailure, !entry.passed { break }
    }
    return report
  }

  /// The model, as reports identify it.
  public nonisolated var subject: ModelSubject {
    ModelSubject(family: native.family, manifest: native.manifest)
  }

  /// Returns the report of a verification with what it has to say of the run; the transformer is chosen first.
  private func verified(
    _ options: VerificationOptions, _ onEvent: (VerificationEvent) throws -> Void,
    _ verify: (VerificationOptions) throws -> ParityReport
  ) throws -> ParityReport {
    var options = options
    options.variant = try chosenVariant(options, onEvent)
    var report = try verify(options)
    report.run = run(options)
    report.approximation = options.approximation.reported
    if report.ranTransformer { report.variant = options.variant }
    return report
  }

  /// Returns the variant to verify, and says which where the model has several and none was asked for; nil for a model
  /// without a transformer.
  private func chosenVariant(
    _ options: VerificationOptions, _ onEvent: (VerificationEvent) throws -> Void
  ) throws -> String? {
    guard options.variant == nil, !variants.isEmpty else { return options.variant }
    let chosen = try native.variant(nil)
    let others = variants.filter { $0 != chosen }
    if !others.isEmpty {
      try onEvent(
        .remark(
          "the transformer \(chosen) is verified; the model has \(others.joined(separator: ", ")) as well"))
    }
    return chosen
  }

  private func run(_ options: VerificationOptions) -> RunSubject {
    RunSubject(
      version: Benben.version, commit: Benben.commit, mathLibrary: Benben.mathLibrary,
      instructionSet: Benben.instructionSet, threads: threads, command: options.command)
  }
}

extension Approximation {
  /// How reports name it; nil for the exact computation.
  fileprivate var reported: String? { self == .off ? nil : rawValue }
}
