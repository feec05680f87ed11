import Foundation
import JSON
import Tensors

/// Messages go to standard error; standard output is for what was asked for.
enum Console {
  static func note(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }

  static func error(_ line: String) {
    note("benben: error: " + line)
  }

  /// Bytes as people read them.
  static func bytes(_ count: Int) -> String {
    var value = Double(count)
    var unit = 0
    let units = ["B", "KB", "MB", "GB", "TB"]
    while value >= 1000, unit < units.count - 1 {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(count) B" : String(format: "%.1f %@", value, units[unit])
  }

  /// Writes a JSON document to a file, whole or not at all; "-" is standard output.
  static func write(_ json: JSONValue, to path: String) throws {
    let data = Data(json.prettyText.utf8)
    if path == "-" {
      FileHandle.standardOutput.write(data)
      return
    }
    do {
      try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw BenbenError(.cannotCreate, "cannot write", at: path, because: error.localizedDescription)
    }
  }
}

/// Shows how far long work is: a line that rewrites itself on a terminal, a plain line now and then elsewhere.
final class Progress {
  private let isQuiet: Bool
  private let isTerminal = isatty(2) == 1
  private let clock = ContinuousClock()
  private var started: ContinuousClock.Instant
  private var shown: ContinuousClock.Instant
  private var isLineOpen = false

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    started = clock.now
    shown = clock.now
  }

  /// Starts to measure another piece of work.
  func begin(_ title: String) {
    started = clock.now
    shown = started
    if !isQuiet && !isTerminal { Console.note(title) }
  }

  /// Reports that `done` of `total` are done; `rate` says the speed in words.
  func update(_ title: String, done: Int, of total: Int, rate: (Double) -> String) throws {
    try Interruption.check()
    if isQuiet { return }
    let now = clock.now
    let isLast = done >= total
    guard isLast || now - shown >= (isTerminal ? .milliseconds(200) : .seconds(10)) else { return }
    shown = now
    let seconds = Double((now - started) / .milliseconds(1)) / 1000
    let left = done > 0 ? seconds / Double(done) * Double(total - done) : 0
    var line = "\(title) \(100 * done / max(total, 1)) %"
    if seconds > 0, done > 0 { line += ", " + rate(Double(done) / seconds) }
    line += isLast ? String(format: ", %.1f s", seconds) : ", " + Self.duration(left) + " left"
    if isTerminal {
      FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8))
      isLineOpen = !isLast
      if isLast { Console.note("") }
    } else {
      Console.note(line)
    }
  }

  deinit {
    if isLineOpen { Console.note("") }
  }

  private static func duration(_ seconds: Double) -> String {
    let whole = Int(min(seconds, 1e9).rounded())
    if whole >= 3600 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return whole >= 60 ? "\(whole / 60) min \(whole % 60) s" : "\(whole) s"
  }
}
