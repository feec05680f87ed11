import JSON
import Tensors

/// Token ids of a fixed length, with the number of those that are no padding.
package struct TokenizedText: Equatable, Sendable {
  /// All ids, padding included.
  package let ids: [Int]
  /// How many of them, from the first on, are not padding.
  package let count: Int

  /// Ids of which the first `count` are not padding.
  package init(ids: [Int], count: Int) {
    self.ids = ids
    self.count = count
  }
}
