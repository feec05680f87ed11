/// The number of floating-point or integer operations in products, a multiplication and an addition counting as two.
package struct OperationCount: Equatable, Sendable {
  /// The operations of linear layers.
  package internal(set) var linear = 0.0
  /// The operations of attention, without those that masks exclude.
  package internal(set) var attention = 0.0
  /// The operations of convolutions, without taps that see only padding in time.
  package internal(set) var convolution = 0.0

  /// The sum of all operations.
  package var total: Double { linear + attention + convolution }

  /// Creates a count of zero.
  package init() {}

  /// Returns the operations counted since an earlier count.
  package func since(_ earlier: OperationCount) -> OperationCount {
    var result = self
    result.linear -= earlier.linear
    result.attention -= earlier.attention
    result.convolution -= earlier.convolution
    return result
  }

  /// Returns every number divided by `count`.
  package func divided(by count: Double) -> OperationCount {
    var result = self
    result.linear /= count
    result.attention /= count
    result.convolution /= count
    return result
  }
}
