import Parity

/// Something that happened in a verification.
public enum VerificationEvent: Sendable {
  /// Teacher-forced verification of a trace began.
  case began(trace: String)
  /// A recorded call of the transformer was compared.
  case compared(call: Int, of: Int)
  /// A free run, or decoding, made progress.
  case generation(GenerationEvent, GenerationRequest)
  /// A golden of a suite was verified.
  case verified(golden: String, index: Int, of: Int, passed: Bool)
  /// Something that does not change the verdict, for a person.
  case remark(String)
}
