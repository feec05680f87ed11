import CSentencePiece

/// What SentencePiece writes to standard error by itself.
public enum SentencePieceLog {
  /// Silences SentencePiece for the whole process; a program that reports errors itself calls this once.
  public static func silence() { bb_sentencepiece_silence() }
}
