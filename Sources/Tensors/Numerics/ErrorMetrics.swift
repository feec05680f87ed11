import CKernelLoops
import Foundation

/// The error of values against a reference, accumulated in double precision.
package struct ErrorMetrics: Codable, Equatable, Sendable {
  /// Σ(a−b)², where b is the reference.
  package private(set) var squaredError = 0.0
  /// Σb².
  package private(set) var squaredReference = 0.0
  /// max|a−b|; infinite if either side contains NaN or infinity.
  package private(set) var maxAbs = 0.0
  /// Σ|a−b|.
  package private(set) var absoluteError = 0.0
  /// max|b|.
  package private(set) var largestReference = 0.0
  /// The number of values compared.
  package private(set) var count = 0

  /// Creates metrics of no values.
  package init() {}

  /// Compares two sequences of values of the same length.
  package init(_ values: some Collection<Float>, reference: some Collection<Float>) {
    add(values, reference: reference)
  }

  /// Adds the errors of other values.
  package mutating func add(_ other: ErrorMetrics) {
    squaredError += other.squaredError
    squaredReference += other.squaredReference
    maxAbs = max(maxAbs, other.maxAbs)
    absoluteError += other.absoluteError
    largestReference = max(largestReference, other.largestReference)
    count += other.count
  }

  /// Adds values and their reference; both must have the same length.
  package mutating func add(_ values: some Collection<Float>, reference: some Collection<Float>) {
    precondition(values.count == reference.count)
    func contiguous(_ values: some Collection<Float>, _ body: (UnsafeBufferPointer<Float>) -> Void) {
      if values.withContiguousStorageIfAvailable(body) == nil { Array(values).withUnsafeBufferPointer(body) }
    }
    contiguous(values) { values in
      contiguous(reference) { reference in
        // Short runs, so that NaN or infinity spoils the vector sums of its own run only.
        for start in stride(from: 0, to: values.count, by: 4096) {
          let range = start..<min(start + 4096, values.count)
          addRun(
            UnsafeBufferPointer(rebasing: values[range]),
            reference: UnsafeBufferPointer(rebasing: reference[range]))
        }
      }
    }
    count += values.count
  }

  /// Adds a row quantized to 8 bits and its reference, which must be finite.
  ///
  /// - Returns: the signal-to-noise ratio of the row without its largest value, in decibels: the precision that an
  ///   outlier, which itself is restored, leaves to the other values.
  @discardableResult
  package mutating func add(
    quantizedRow: UnsafeBufferPointer<Int8>, scale: Float, reference: UnsafeBufferPointer<Float>
  ) -> Double {
    precondition(quantizedRow.count == reference.count)
    let errors = bb_weight_errors(quantizedRow.baseAddress, scale, reference.baseAddress, reference.count)
    squaredError += errors.squared_error
    absoluteError += errors.absolute_error
    squaredReference += errors.squared_reference
    maxAbs = max(maxAbs, errors.largest_error)
    largestReference = max(largestReference, errors.largest_reference)
    count += reference.count
    let others = errors.squared_reference - errors.largest_reference * errors.largest_reference
    return errors.squared_error == 0 ? .infinity : 10 * log10(others / errors.squared_error)
  }

  private mutating func addRun(_ values: UnsafeBufferPointer<Float>, reference: UnsafeBufferPointer<Float>) {
    var (squares, absolutes, squaredReferences) = (
      SIMD8<Double>.zero, SIMD8<Double>.zero, SIMD8<Double>.zero
    )
    var (largest, largestReferences) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
    let whole = values.count / 8 * 8
    for index in stride(from: 0, to: whole, by: 8) {
      var (value, expected) = (SIMD8<Float>.zero, SIMD8<Float>.zero)
      for lane in 0..<8 {
        value[lane] = values[index + lane]
        expected[lane] = reference[index + lane]
      }
      let wide = SIMD8<Double>(expected)
      let difference = SIMD8<Double>(value) - wide
      squares += difference * difference
      squaredReferences += wide * wide
      let magnitude = difference.replacing(with: -difference, where: difference .< 0)
      absolutes += magnitude
      largest.replace(with: magnitude, where: magnitude .> largest)
      let magnitudes = wide.replacing(with: -wide, where: wide .< 0)
      largestReferences.replace(with: magnitudes, where: magnitudes .> largestReferences)
    }
    // A NaN or an infinity shows in the sums; each value is then examined separately.
    let isFinite = squares.sum().isFinite && squaredReferences.sum().isFinite
    if isFinite {
      squaredError += squares.sum()
      absoluteError += absolutes.sum()
      squaredReference += squaredReferences.sum()
      maxAbs = max(maxAbs, largest.max())
      largestReference = max(largestReference, largestReferences.max())
    }
    for index in (isFinite ? whole : 0)..<values.count { add(values[index], reference: reference[index]) }
  }

  private mutating func add(_ value: Float, reference: Float) {
    let difference = abs(Double(value) - Double(reference))
    // A NaN or an infinity counts as an infinite error, never as one that compares as small.
    guard difference.isFinite else {
      maxAbs = .infinity
      squaredError = .infinity
      return
    }
    squaredError += difference * difference
    absoluteError += difference
    squaredReference += Double(reference) * Double(reference)
    largestReference = max(largestReference, abs(Double(reference)))
    maxAbs = max(maxAbs, difference)
  }

  /// Returns the cosine of the angle between two sequences of the same length, Σab/√(Σa²Σb²); nil unless it is finite.
  package static func cosine(_ a: some Collection<Float>, _ b: some Collection<Float>) -> Double? {
    precondition(a.count == b.count)
    var (product, squaresA, squaresB) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      product += Double(x) * Double(y)
      squaresA += Double(x) * Double(x)
      squaresB += Double(y) * Double(y)
    }
    let cosine = product / (squaresA * squaresB).squareRoot()
    return cosine.isFinite ? min(max(cosine, -1), 1) : nil
  }

  /// The mean of |a−b|; zero when nothing was compared.
  package var meanAbs: Double { count == 0 ? 0 : absoluteError / Double(count) }

  /// Σ(a−b)²/Σb²: the normalised mean squared error; infinite when only the reference is zero.
  package var nmse: Double {
    squaredError == 0 ? 0 : squaredError / squaredReference
  }

  /// The peak signal-to-noise ratio, 20·log10(max|b| / RMSE); infinite when nothing differs.
  package var psnrDb: Double {
    squaredError == 0
      ? .infinity : 20 * log10(largestReference / (squaredError / Double(count)).squareRoot())
  }

  /// The signal-to-quantization-noise ratio, 10·log10(Σb²/Σ(a−b)²); infinite when nothing differs.
  package var sqnrDb: Double {
    squaredError == 0 ? .infinity : -10 * log10(nmse)
  }
}
