import ArgumentParser
import Files

/// A time as people write it: 90s, 10min, 2h.
struct TimeSpan: ExpressibleByArgument {
  let seconds: Double

  init?(argument: String) {
    guard let seconds = TimeText.seconds(argument) else { return nil }
    self.seconds = seconds
  }
}
