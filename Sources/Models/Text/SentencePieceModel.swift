/// Checks of a serialized SentencePiece model that the library itself does not make.
///
/// The library walks the trie of its normalisation rules without bounds checks, so a damaged or hostile model would
/// make it read out of bounds. Everything reachable in the trie is checked here before the library sees the model.
enum SentencePieceModel {
  /// The field numbers of `ModelProto.normalizer_spec` and `NormalizerSpec.precompiled_charsmap`.
  private static let normalizerField = 3, charsmapField = 2

  /// Returns the reason why a model cannot be used, or nil when its rules are sound.
  static func fault(in model: [UInt8]) -> String? {
    guard let normalizers = field(normalizerField, of: model[...]) else { return "it is no protocol buffer" }
    for normalizer in normalizers {
      guard let charsmaps = field(charsmapField, of: normalizer) else { return "its normalizer is malformed" }
      for charsmap in charsmaps where !charsmap.isEmpty && !isSound(charsmap) {
        return "its normalisation rules lead outside themselves"
      }
    }
    return nil
  }

  /// Returns all length-delimited values of a field of a message, or nil when the message is malformed.
  private static func field(_ number: Int, of message: ArraySlice<UInt8>) -> [ArraySlice<UInt8>]? {
    var found: [ArraySlice<UInt8>] = []
    var rest = message
    while !rest.isEmpty {
      guard let key = varint(&rest) else { return nil }
      switch key & 7 {
      case 0: guard varint(&rest) != nil else { return nil }
      case 1: guard skip(8, &rest) != nil else { return nil }
      case 5: guard skip(4, &rest) != nil else { return nil }
      case 2:
        guard let length = varint(&rest), let value = skip(length, &rest) else { return nil }
        if key >> 3 == UInt64(number) { found.append(value) }
      default: return nil
      }
    }
    return found
  }

  private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  private static func skip(_ length: UInt64, _ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard length <= UInt64(rest.count) else { return nil }
    defer { rest = rest.dropFirst(Int(length)) }
    return rest.prefix(Int(length))
  }

  /// Returns whether rules are sound: a four-byte length, a double-array trie (Darts) of that length, and the
  /// replacements, each ended by NUL.
  private static func isSound(_ charsmap: ArraySlice<UInt8>) -> Bool {
    let bytes = Array(charsmap)
    guard bytes.count > 4 else { return false }
    func word(_ offset: Int) -> UInt32 {
      bytes[offset..<offset + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
    let length = Int(word(0))
    guard length % 4 == 0, length >= 4, length < bytes.count - 4, bytes.last == 0 else { return false }
    let units = (0..<length / 4).map { word(4 + 4 * $0) }
    let replacements = bytes.count - 4 - length
    var visited = [Bool](repeating: false, count: units.count)
    var pending = [0]
    while let node = pending.popLast() {
      if visited[node] { continue }
      visited[node] = true
      let unit = units[node]
      // A child's position is the exclusive or of its parent's position, the parent's offset and the child's label.
      let base = node ^ Int((unit >> 10) << (unit >> 6 & 8))
      if unit >> 8 & 1 == 1 {
        guard base < units.count, Int(units[base] & 0x7FFF_FFFF) < replacements else { return false }
      }
      for label in 1...255 {
        let child = base ^ label
        guard child < units.count else { return false }
        if units[child] & 0x8000_00FF == UInt32(label) { pending.append(child) }
      }
    }
    return true
  }
}
