import JSON
import Tensors

/// Token ids of a fixed length, with the number of those that are not padding.
package struct TokenizedText: Equatable, Sendable {
  /// All ids, padding included.
  package let ids: [Int]
  /// The number of leading ids that are not padding.
  package let count: Int

  /// Creates a tokenized text from ids of which the first `count` are not padding.
  package init(ids: [Int], count: Int) {
    self.ids = ids
    self.count = count
  }
}
