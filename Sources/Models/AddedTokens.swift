import JSON
import Tensors

/// Tokens that are cut out of a text before it is tokenized, such as `</s>` or `<|endoftext|>`.
struct AddedTokens {
  /// A piece of a text.
  enum Piece: Equatable {
    case token(Int)
    case text(String)
  }

  private let ids: [[Unicode.Scalar]: Int]
  /// The lengths that occur, longest first.
  private let lengths: [Int]

  /// Longer tokens are refused where they are read.
  static let maximumLength = 256

  init(_ tokens: [(text: String, id: Int)]) {
    let named = tokens.filter { !$0.text.isEmpty }.map { (Array($0.text.unicodeScalars), $0.id) }
    ids = Dictionary(named) { first, _ in first }
    lengths = Set(named.map(\.0.count)).sorted(by: >)
  }

  /// Cuts a text, taking the longest token at every place.
  func split(_ text: String) -> [Piece] {
    let scalars = Array(text.unicodeScalars)
    var pieces: [Piece] = []
    var pending = String.UnicodeScalarView()
    func flush() {
      if !pending.isEmpty { pieces.append(.text(String(pending))) }
      pending = String.UnicodeScalarView()
    }
    var index = 0
    while index < scalars.count {
      let match = lengths.first {
        $0 <= scalars.count - index && ids[Array(scalars[index..<index + $0])] != nil
      }
      if let length = match,
        let id = ids[Array(scalars[index..<index + length])]
      {
        flush()
        pieces.append(.token(id))
        index += length
      } else {
        pending.append(scalars[index])
        index += 1
      }
    }
    flush()
    return pieces
  }
}

/// Token ids of a fixed length, with the number of those that are no padding.
public struct TokenizedText: Equatable, Sendable {
  /// All ids, padding included.
  public let ids: [Int]
  /// How many of them, from the first on, are not padding.
  public let count: Int

  /// Ids of which the first `count` are not padding.
  public init(ids: [Int], count: Int) {
    self.ids = ids
    self.count = count
  }
}

/// An error about a tokenizer's file.
func tokenizerFault(_ file: String, _ why: String) -> BenbenError {
  BenbenError(.malformed, "malformed tokenizer", at: file, because: why)
}
