import Foundation

/// Human-readable byte counts.
package enum ByteSize {
  /// Returns the number of bytes that a text such as `8GB`, `512 MB` or `1000000` stands for; nil for any other text.
  package static func count(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let unit = text.dropFirst(digits.count).uppercased().filter { $0 != " " }
    let exponents = ["": 0, "B": 0, "K": 3, "KB": 3, "M": 6, "MB": 6, "G": 9, "GB": 9, "T": 12, "TB": 12]
    guard let value = Double(digits), let exponent = exponents[unit] else { return nil }
    let bytes = (0..<exponent).reduce(value) { result, _ in result * 10 }
    return bytes >= 1 && bytes < 0x1p62 ? Int(bytes) : nil
  }

  /// Returns a byte count with a decimal unit: `18.6 MB`.
  package static func text(_ count: Int) -> String {
    var value = Double(count)
    var unit = 0
    let units = ["B", "KB", "MB", "GB", "TB"]
    while value >= 1000, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(count) B" : String(format: "%.1f %@", value, units[unit])
  }
}
