/// How many floating-point (or integer) operations products took, a multiplication and an addition counting two.
public struct OperationCount: Equatable, Sendable {
  /// Of linear layers.
  public internal(set) var linear = 0.0
  /// Of attention, without what masks exclude.
  public internal(set) var attention = 0.0
  /// Of convolutions, without the taps that see only padding in time.
  public internal(set) var convolution = 0.0

  /// All of them.
  public var total: Double { linear + attention + convolution }

  /// Nothing done yet.
  public init() {}

  /// What was done since.
  public func since(_ earlier: OperationCount) -> OperationCount {
    var result = self
    result.linear -= earlier.linear
    result.attention -= earlier.attention
    result.convolution -= earlier.convolution
    return result
  }

  /// A share of it.
  public func divided(by count: Double) -> OperationCount {
    var result = self
    result.linear /= count
    result.attention /= count
    result.convolution /= count
    return result
  }
}
