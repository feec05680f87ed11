import Foundation

/// How far values are from a reference, accumulated in double precision.
public struct ErrorMetrics: Equatable, Sendable {
  /// Σ(a−b)², where b is the reference.
  public private(set) var squaredError = 0.0
  /// Σb².
  public private(set) var squaredReference = 0.0
  /// max|a−b|; infinite when either side holds what is no finite number.
  public private(set) var maxAbs = 0.0
  /// max|b|.
  public private(set) var largestReference = 0.0
  /// How many values were compared.
  public private(set) var count = 0

  /// Nothing compared yet.
  public init() {}

  /// Compares two runs of values of the same length.
  public init(_ values: some Collection<Float>, reference: some Collection<Float>) {
    add(values, reference: reference)
  }

  /// Adds values and their reference; both must have the same length.
  public mutating func add(_ values: some Collection<Float>, reference: some Collection<Float>) {
    precondition(values.count == reference.count)
    for (value, expected) in zip(values, reference) {
      let difference = abs(Double(value) - Double(expected))
      // A NaN or an infinity anywhere is the largest error there is, never one that compares as small.
      guard difference.isFinite else {
        maxAbs = .infinity
        squaredError = .infinity
        continue
      }
      squaredError += difference * difference
      squaredReference += Double(expected) * Double(expected)
      largestReference = max(largestReference, abs(Double(expected)))
      maxAbs = max(maxAbs, difference)
    }
    count += values.count
  }

  /// Σ(a−b)²/Σb²: the normalised mean squared error; infinite when only the reference is zero.
  public var nmse: Double {
    squaredError == 0 ? 0 : squaredError / squaredReference
  }

  /// The peak signal-to-noise ratio, 20·log10(max|b| / RMSE); infinite when nothing differs.
  public var psnrDb: Double {
    squaredError == 0
      ? .infinity : 20 * log10(largestReference / (squaredError / Double(count)).squareRoot())
  }

  /// The signal-to-quantization-noise ratio, 10·log10(Σb²/Σ(a−b)²); infinite when nothing differs.
  public var sqnrDb: Double {
    squaredError == 0 ? .infinity : -10 * log10(nmse)
  }
}
