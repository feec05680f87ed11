/// Human-readable times.
package enum TimeText {
  /// Returns the seconds that a text such as `90s`, `10 min` or `2h` stands for; nil for any other text.
  package static func seconds(_ text: String) -> Double? {
    let number = text.prefix { $0.isASCII && $0.isNumber || $0 == "." }
    guard let value = Double(number), value > 0, value < 1e9 else { return nil }
    switch text.dropFirst(number.count).drop(while: { $0 == " " }) {
    case "s": return value
    case "min": return 60 * value
    case "h": return 3600 * value
    default: return nil
    }
  }

  /// Returns a time in its two largest units: `2 h 10 min`.
  package static func text(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 1e9).rounded())
    if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
  }
}
