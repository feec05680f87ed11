import JSON
import Tensors

/// Tokens that are cut out of a text before the rest is tokenized, such as `</s>` or `<|endoftext|>`.
struct AddedTokens {
  /// A piece of a text.
  enum Piece: Equatable {
    case token(Int)
    case text(String)
  }

  /// A prefix of tokens, the token that it is, if any, and the prefixes that are a scalar longer.
  private struct Node {
    var id: Int?
    var next: [Unicode.Scalar: Int] = [:]
  }

  /// A tree of all prefixes, the empty one first.
  private let nodes: [Node]

  /// The largest length of a token, in Unicode scalars; longer ones are refused where they are read.
  static let maximumLength = 256

  /// Creates the tokens; of two with one text, the first counts.
  init(_ tokens: [(text: String, id: Int)]) {
    var nodes = [Node()]
    for token in tokens where !token.text.isEmpty {
      var node = 0
      for scalar in token.text.unicodeScalars {
        if let known = nodes[node].next[scalar] {
          node = known
        } else {
          nodes[node].next[scalar] = nodes.count
          node = nodes.count
          nodes.append(Node())
        }
      }
      nodes[node].id = nodes[node].id ?? token.id
    }
    self.nodes = nodes
  }

  /// Returns the longest token that a text begins with, and its length.
  private func longest(in scalars: ArraySlice<Unicode.Scalar>) -> (id: Int, length: Int)? {
    var node = 0
    var found: (Int, Int)?
    for (length, scalar) in scalars.enumerated() {
      guard let next = nodes[node].next[scalar] else { break }
      node = next
      if let id = nodes[node].id { found = (id, length + 1) }
    }
    return found
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
      if let (id, length) = longest(in: scalars[index...]) {
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
