import Foundation

/// Human-readable byte counts.
package enum ByteSize {
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
