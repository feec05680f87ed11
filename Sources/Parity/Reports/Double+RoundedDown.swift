import Foundation

extension Double {
  /// The number with so many digits after the point, never rounded up: what is not wholly alike does not read so.
  package func roundedDown(toDigits digits: Int) -> Double {
    let scale = pow(10, Double(digits))
    return (self * scale).rounded(.down) / scale
  }
}
