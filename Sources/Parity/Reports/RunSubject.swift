/// The program and the machine that made a report, and how to make it again.
public struct RunSubject: Codable, Equatable, Sendable {
  /// The version of Benben, and the commit it was built from where that is known.
  public let version: String, commit: String?
  /// The library that computed products, with its version.
  public let mathLibrary: String
  /// The instruction set that products were computed with.
  public let instructionSet: String
  /// The number of threads.
  public let threads: Int
  /// A command that repeats the verification, with the names of files only; nil where a program ran it.
  public let command: String?

  /// Creates the subject of a run.
  package init(
    version: String, commit: String?, mathLibrary: String, instructionSet: String, threads: Int,
    command: String?
  ) {
    self.version = version
    self.commit = commit
    self.mathLibrary = mathLibrary
    self.instructionSet = instructionSet
    self.threads = threads
    self.command = command
  }
}
