import Parity

/// An event of a verification.
public enum VerificationEvent: Sendable {
  /// Teacher-forced verification of a trace began.
  case began(trace: String)
  /// A recorded call of the transformer was compared.
  case compared(call: Int, of: Int)
  /// A free run, or decoding, made progress.
  case generation(GenerationEvent, GenerationRequest)
  /// A golden of a suite was verified.
  case verified(golden: String, index: Int, of: Int, passed: Bool)
  /// A remark for a person that does not affect the verdict.
  case remark(String)
}
