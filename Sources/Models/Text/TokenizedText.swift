import JSON
import Tensors

/// Token ids of a fixed length, with the number of those that are not padding.
package struct TokenizedText: Equatable, Sendable {
  /// All ids, padding included.
  package let ids: [Int]
  /// The number of leading ids that are not padding.
  package let count: Int
  /// Whether the text was longer, and its end was left out.
  package let isCut: Bool

  /// Creates a tokenized text from ids of which the first `count` are not padding.
  package init(ids: [Int], count: Int, isCut: Bool = false) {
    self.ids = ids
    self.count = count
    self.isCut = isCut
  }
}
