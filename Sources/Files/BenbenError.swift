import Foundation

/// An error that names what failed, where, why, and what to do about it.
///
/// Every text is written for the person who has to act on it. ``description`` is one line, `WHAT: WHERE: WHY`;
/// ``remedies`` are lines of advice that follow it.
public struct BenbenError: Error, CustomStringConvertible, Sendable {
  /// The kind of failure, by which a program chooses its exit code.
  public enum Kind: String, Sendable, Equatable {
    /// The request is invalid: a size that cannot be generated, options that exclude each other.
    case usage
    /// An input is not well-formed, or does not match the other inputs.
    case malformed
    /// An input is absent or cannot be opened.
    case missing
    /// The output cannot be created.
    case cannotCreate
    /// Reading or writing failed midway.
    case inputOutput
    /// A defect in Benben itself.
    case internalDefect
  }

  /// A failure that the caller can resolve with an option of its own.
  ///
  /// Libraries do not know how a program spells its options; a program that shows errors adds the remedy for the code.
  public enum Code: Sendable, Equatable {
    /// What was named does not exist, and could be the name of a repository that was not downloaded.
    case notDownloaded
    /// The output exists and replacing it was not allowed.
    case outputExists
    /// The output exists and is not something that Benben wrote.
    case outputIsForeign
    /// Another process is writing the same output.
    case outputIsBusy
    /// The folder is not a native model.
    case notANativeModel
    /// The file is not a packed model.
    case notAPack
    /// The folder holds weights files but is not laid out as a release.
    case notARelease
    /// Weights that were rounded before would be rounded again.
    case alreadyRounded
    /// Text encoders were given without tokenizers.
    case tokenizersNeeded
    /// The run needs more memory than allowed.
    case exceedsMemoryLimit
    /// Nothing in the plan is quantized, so there is nothing to calibrate.
    case nothingQuantized
    /// A golden clip has no trace that describes its request and noise.
    case traceNeeded
    /// The file is not a report of a suite.
    case notASuiteReport
    /// The checkpoint that comes with the program is not where it is looked for.
    case bundleNotFound
  }

  /// The kind of failure.
  public let kind: Kind
  /// The failure that an option of the program can resolve; nil for any other.
  public let code: Code?
  /// A short phrase for the operation that failed or for the fault.
  public let what: String
  /// The file, tensor or offset concerned.
  public let subject: String
  /// The cause.
  public let why: String
  /// Advice on how to resolve the error, one line each.
  public let remedies: [String]

  /// Creates an error from texts that a user can read.
  public init(
    _ kind: Kind, _ what: String, at subject: String, because why: String, remedies: [String] = [],
    code: Code? = nil
  ) {
    self.kind = kind
    self.code = code
    self.what = what
    self.subject = subject
    self.why = why
    self.remedies = remedies
  }

  /// Returns the error about another subject, or with other remedies.
  package func with(subject: String? = nil, remedies: [String]? = nil) -> BenbenError {
    BenbenError(
      kind, what, at: subject ?? self.subject, because: why, remedies: remedies ?? self.remedies, code: code)
  }

  /// The error in one line: what, where, why.
  public var description: String { "\(what): \(subject): \(why)" }
}

extension BenbenError: LocalizedError {
  /// The error in one line, which is also its `localizedDescription`; it is in English only.
  public var errorDescription: String? { description }
  /// The advice, a line each; nil without any.
  public var recoverySuggestion: String? { remedies.isEmpty ? nil : remedies.joined(separator: "\n") }
}
