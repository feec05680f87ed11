import JSON
import Tensors

/// Tokens that are cut out of a text before the rest is tokenized, such as `</s>` or `<|endoftext|>`.
struct AddedTokens {
  /// A piece of a text.
  enum Piece: Equatable {
    case token(Int)
    case text(String)
  }

  private let ids: [[Unicode.Scalar]: Int]
  /// The token lengths that occur, in Unicode scalars, longest first.
  private let lengths: [Int]

  /// The largest length of a token, in Unicode scalars; longer ones are refused where they are read.
  static let maximumLength = 256

  init(_ tokens: [(text: String, id: Int)]) {
    let named = tokens.filter { !$0.text.isEmpty }.map { (Array($0.text.unicodeScalars), $0.id) }
    ids = Dictionary(named) { first, _ in first }
    lengths = Set(named.map(\.0.count)).sorted(by: >)
  }

  /// Splits a text into tokens and the text between them, taking the longest token at every position.
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
