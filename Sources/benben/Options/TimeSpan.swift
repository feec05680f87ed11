import ArgumentParser

/// A time as people write it: 90s, 10min, 2h.
struct TimeSpan: ExpressibleByArgument {
  let seconds: Double

  init?(argument: String) {
    let number = argument.prefix { $0.isASCII && $0.isNumber || $0 == "." }
    guard let value = Double(number), value > 0, value < 1e9 else { return nil }
    switch argument.dropFirst(number.count).trimmingPrefix(" ") {
    case "s": seconds = value
    case "min": seconds = 60 * value
    case "h": seconds = 3600 * value
    default: return nil
    }
  }
}
