import Foundation

extension Float {
  /// Returns exp(½·log σ²), with the log-variance clamped as in `DiagonalGaussianDistribution`.
  static func deviation(logVariance: Float) -> Float {
    Float(exp(0.5 * Double(Swift.min(Swift.max(logVariance, -30), 20))))
  }
}
