import Checkpoints

extension VideoModel {
  /// Checks every hash and invariant of the model's files, on the calling thread.
  ///
  /// - Parameter onProgress: receives the file and the bytes that were just hashed; an error that it throws ends the
  ///   check.
  /// - Throws: any error thrown by `onProgress`, and `BenbenError` when a file cannot be read; damage is in the report.
  public nonisolated func checkIntegrity(
    onProgress: (_ file: String, _ bytes: Int) throws -> Void = { _, _ in }
  ) throws -> IntegrityReport {
    IntegrityReport(try native.integrityIssues(progress: onProgress))
  }
}
