/// A part of a suite, so that several machines verify it together.
public struct SuiteShard: Sendable {
  /// Which part, from 1, of how many.
  public let index: Int, count: Int

  /// A shard; nil unless 1 ≤ index ≤ count ≤ 100,000.
  public init?(_ index: Int, of count: Int) {
    guard 1...100_000 ~= count, 1...count ~= index else { return nil }
    (self.index, self.count) = (index, count)
  }

  /// Every `count`-th name, from the `index`-th on.
  public func part(of names: [String]) -> [String] {
    stride(from: index - 1, to: names.count, by: count).map { names[$0] }
  }
}
