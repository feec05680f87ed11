import Checkpoints
import Files
import Models

extension VideoModel {
  /// Checks every hash and invariant of the model's files, on the calling thread.
  ///
  /// - Parameter onProgress: receives the file and the bytes that were just hashed; an error that it throws ends the
  ///   check.
  /// - Throws: any error thrown by `onProgress`, and `BenbenError` when a file cannot be read; damage is in the report.
  public nonisolated func checkIntegrity(
    onProgress: (_ file: String, _ bytes: Int) throws -> Void = { _, _ in }
  ) throws -> IntegrityReport {
    try native.checkIntegrity(onProgress: onProgress)
  }
}

extension NativeModel {
  /// Checks every hash and invariant of the model's files, whatever they can be used for.
  package func checkIntegrity(
    onProgress: (_ file: String, _ bytes: Int) throws -> Void
  ) throws -> IntegrityReport {
    IntegrityReport(try integrityIssues(progress: onProgress) + tokenizerIssues())
  }

  /// Returns what is wrong with tokenizers whose files are as they were written, and no tokenizer.
  private func tokenizerIssues() throws -> [IntegrityIssue] {
    guard let family = ModelFamily.named(self.family) else { return [] }
    let encoders = family.clipComponents + [family.t5Component]
    return try family.tokenizers.compactMap { folder, _ -> IntegrityIssue? in
      guard auxiliaryFileNames.contains(where: { $0.hasPrefix(folder + "/") }) else { return nil }
      let encoder = encoders.first {
        ModelFamily.tokenizer(of: $0) == folder && componentNames.contains($0)
      }
      do {
        try family.requireTokenizer(folder, config: encoder.map { try component($0).config }) {
          try auxiliaryFile("\(folder)/\($0)")
        }
        return nil
      } catch let error as BenbenError
        // What is there and cannot be opened is no damage.
        where error.kind == .malformed || error.kind == .missing && !FileSystem.exists(error.subject)
      {
        return IntegrityIssue(file: error.subject, tensor: nil, why: error.why)
      }
    }
  }
}
