import JSON
import Tensors

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
