/// What went wrong, for the person who has to mend it.
///
/// Printed as one line, `WHAT: WHERE: WHY`, followed by at most a few lines of advice.
public struct BenbenError: Error, CustomStringConvertible {
  /// The kind of failure; a command maps it to its exit code.
  public enum Kind: Sendable, Equatable {
    /// The request makes no sense (a size that is not valid, two options that exclude each other).
    case usage
    /// An input is not what it must be.
    case malformed
    /// An input is absent or cannot be opened.
    case missing
    /// The output cannot be created.
    case cannotCreate
    /// Reading or writing failed on the way.
    case inputOutput
    /// A defect of this project.
    case internalDefect
  }

  /// The kind of failure.
  public let kind: Kind
  /// What was being done or what is wrong, in a few words.
  public let what: String
  /// The file, tensor or offset.
  public let subject: String
  /// Why.
  public let why: String
  /// What to do, one line each.
  public let remedies: [String]

  /// Creates an error; every text is written for a user.
  public init(_ kind: Kind, _ what: String, at subject: String, because why: String, remedies: [String] = [])
  {
    self.kind = kind
    self.what = what
    self.subject = subject
    self.why = why
    self.remedies = remedies
  }

  /// One line: what, where, why.
  public var description: String { "\(what): \(subject): \(why)" }
}
