/// SentencePiece's compiled normalisation rules (`NormalizerSpec.precompiled_charsmap`): a four-byte length, a
/// double-array trie (Darts) of that length, and the replacements, each ended by NUL.
///
/// The library walks the trie without bounds checks and collects at most 32 matching rules in an array on its stack,
/// without looking whether there are more. Everything that can be reached in the trie is checked here.
struct NormalizationRules {
  /// The size of the library's array.
  private static let maximumNesting = 32
  /// The longest replacement in bytes; the longest of NFKC, that of U+FDFA, takes 33.
  private static let maximumReplacement = 256

  private let units: [UInt32]
  private let replacements: ArraySlice<UInt8>

  /// Reads rules; nil when they are too short or cut off.
  init?(_ charsmap: ArraySlice<UInt8>) {
    let bytes = Array(charsmap)
    guard bytes.count > 4 else { return nil }
    func word(_ offset: Int) -> UInt32 {
      bytes[offset..<offset + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
    let length = Int(word(0))
    guard length % 4 == 0, length >= 4, length < bytes.count - 4, bytes.last == 0 else { return nil }
    units = (0..<length / 4).map { word(4 + 4 * $0) }
    replacements = bytes[(4 + length)...]
  }

  private enum State {
    case unseen, entered
    /// Left, with the most rules on a way down from here.
    case left(Int)
  }

  /// Returns whether every node that can be reached lies in the trie, no way leads in a circle or past more rules than
  /// the library has room for, and every replacement is a short text.
  var areSound: Bool {
    guard let starts = soundReplacements else { return false }
    var states = [State](repeating: .unseen, count: units.count)
    var pending = [0]
    while let node = pending.last {
      switch states[node] {
      case .left: pending.removeLast()
      case .unseen:
        guard let children = children(of: node, starts) else { return false }
        states[node] = .entered
        for child in children {
          switch states[child] {
          case .unseen: pending.append(child)
          case .entered: return false
          case .left: break
          }
        }
      case .entered:
        guard let children = children(of: node, starts) else { return false }
        var most = 0
        for child in children {
          if case .left(let count) = states[child] { most = max(most, count) }
        }
        most += holdsRule(node) ? 1 : 0
        guard most <= Self.maximumNesting else { return false }
        states[node] = .left(most)
        pending.removeLast()
      }
    }
    return true
  }

  private func holdsRule(_ node: Int) -> Bool { units[node] >> 8 & 1 == 1 }

  /// Returns the children of a node; nil when it leads outside, or its rule to no sound replacement.
  private func children(of node: Int, _ starts: [Bool]) -> [Int]? {
    // A child's position is the exclusive or of its parent's position, the parent's offset and the child's label.
    let unit = units[node]
    let base = node ^ Int((unit >> 10) << (unit >> 6 & 8))
    if holdsRule(node) {
      guard base < units.count, Int(units[base] & 0x7FFF_FFFF) < starts.count,
        starts[Int(units[base] & 0x7FFF_FFFF)]
      else { return nil }
    }
    var children: [Int] = []
    for label in 1...255 {
      let child = base ^ label
      guard child < units.count else { return nil }
      if units[child] & 0x8000_00FF == UInt32(label) { children.append(child) }
    }
    return children
  }

  /// For every place in the replacements, whether a text of sound length and UTF-8 starts there; nil when it cannot be
  /// told.
  private var soundReplacements: [Bool]? {
    var sound = [Bool](repeating: false, count: replacements.count)
    let base = replacements.startIndex
    for text in replacements.split(separator: 0, omittingEmptySubsequences: false) {
      let isText = text.count <= Self.maximumReplacement && String(validating: text, as: UTF8.self) != nil
      // A rule may start within a longer replacement that ends the same.
      for place in text.startIndex...text.endIndex where place - base < sound.count {
        let isBoundary = place == text.endIndex || text[place] & 0xC0 != 0x80
        sound[place - base] = isText && isBoundary
      }
    }
    return sound
  }
}
