/// A part of a suite's goldens, or of a golden's calls, so that several machines can verify it together.
public struct SuiteShard: Sendable {
  /// The number of the part, from 1, and the number of parts.
  public let index: Int, count: Int

  /// Creates a shard; nil unless 1 ≤ index ≤ count ≤ 100,000.
  public init?(_ index: Int, of count: Int) {
    guard 1...100_000 ~= count, 1...count ~= index else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// Returns every `count`-th item, starting with the `index`-th.
  public func part<Item>(of items: [Item]) -> [Item] {
    stride(from: index - 1, to: items.count, by: count).map { items[$0] }
  }
}
