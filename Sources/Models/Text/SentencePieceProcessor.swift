import CSentencePiece

/// The owner of SentencePiece's processor of one model.
final class SentencePieceProcessor {
  private let pointer: OpaquePointer

  /// Loads a model; nil when the library refuses it.
  init?(_ model: SentencePieceModel) {
    guard let pointer = bb_sentencepiece_create(model.serialized, model.serialized.count) else { return nil }
    self.pointer = pointer
  }

  deinit { bb_sentencepiece_destroy(pointer) }

  /// The number of pieces in the vocabulary.
  var vocabularySize: Int { Int(bb_sentencepiece_vocabulary_size(pointer)) }

  /// Returns the first ids of a text, at most `limit`, or nil when the library fails.
  func encode(_ text: String, limit: Int) -> [Int]? {
    let bytes = Array(text.utf8)
    var ids = [Int32](repeating: 0, count: limit)
    let count = bytes.withUnsafeBytes { buffer in
      bb_sentencepiece_encode(
        pointer, buffer.bindMemory(to: CChar.self).baseAddress, bytes.count, &ids, ids.count)
    }
    return count < 0 ? nil : ids.prefix(count).map(Int.init)
  }
}
