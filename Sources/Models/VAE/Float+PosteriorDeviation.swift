import Foundation

extension Float {
  /// exp(½·log σ²), the log-variance clamped as in `DiagonalGaussianDistribution`.
  static func deviation(logVariance: Float) -> Float {
    Float(exp(0.5 * Double(Swift.min(Swift.max(logVariance, -30), 20))))
  }
}
