import CSentencePiece

/// SentencePiece's own log, which it writes to standard error.
public enum SentencePieceLog {
  /// Silences SentencePiece for the whole process; a program that reports errors itself calls this once.
  public static func silence() { bb_sentencepiece_silence() }
}
