import Foundation
import JSON
import Tensors

/// Messages go to standard error; standard output is for what was asked for.
enum Console {
  /// A line on standard error; when that cannot be written there is nobody to tell.
  static func note(_ line: String) {
    try? FileHandle.standardError.write(contentsOf: Data((line + "\n").utf8))
  }

  /// Text on standard output.
  ///
  /// - Throws: ``BenbenError`` when it cannot be written.
  static func print(_ text: String) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      throw BenbenError(
        .inputOutput, "writing failed", at: "standard output", because: error.localizedDescription)
    }
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

  /// Writes a JSON document: to standard output for "-", into a pipe or device that exists, else to a file that
  /// appears whole or not at all.
  static func write(_ json: JSONValue, to path: String) throws { try write(json.prettyText, to: path) }

  /// Throws when a report cannot be written there; called before long work, as what is written comes last.
  static func requireWritable(_ path: String?) throws {
    guard let path, path != "-" else { return }
    let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var isFolder: ObjCBool = false
    let why: String? =
      if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
        "it is a folder"
      } else if !FileManager.default.fileExists(atPath: parent) {
        "there is no folder \(parent)"
      } else if !FileManager.default.isWritableFile(atPath: parent) {
        "its folder is not writable"
      } else {
        nil
      }
    if let why { throw BenbenError(.cannotCreate, "cannot write", at: path, because: why) }
  }

  /// Writes a text, likewise.
  static func write(_ text: String, to path: String) throws {
    if path == "-" { return try print(text) }
    let data = Data(text.utf8)
    let url = URL(fileURLWithPath: path)
    do {
      let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
      if let type, type != .typeRegular, type != .typeSymbolicLink {
        try FileHandle(forWritingTo: url).write(contentsOf: data)
      } else {
        try data.write(to: url, options: .atomic)
      }
    } catch {
      let isFull = (error as? CocoaError)?.code == .fileWriteOutOfSpace
      throw BenbenError(
        isFull ? .inputOutput : .cannotCreate, "cannot write", at: path, because: error.localizedDescription)
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
  /// What was done before this piece of work began.
  private var skipped: (done: Int, share: Double) = (0, 0)

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    started = clock.now
    shown = clock.now
  }

  /// Starts to measure another piece of work.
  func begin(_ title: String) {
    started = clock.now
    shown = started
    skipped = (0, 0)
    if !isQuiet && !isTerminal { Console.note(title) }
  }

  /// Says that so much was done before, and takes no time now.
  func skip(done: Int, share: Double) { skipped = (done, share) }

  /// Reports that `done` of `total` are done; `rate` says the speed in words.
  ///
  /// - Parameter share: how much of the work that is, where not every one of them takes as long.
  func update(
    _ title: String, done: Int, of total: Int, share: Double? = nil, rate: (Double) -> String
  ) throws {
    try Interruption.check()
    if isQuiet { return }
    let now = clock.now
    let isLast = done >= total
    guard isLast || now - shown >= (isTerminal ? .milliseconds(200) : .seconds(10)) else { return }
    shown = now
    let seconds = Double((now - started) / .milliseconds(1)) / 1000
    let share = share ?? Double(done) / Double(max(total, 1))
    let left = share > skipped.share ? seconds / (share - skipped.share) * (1 - share) : 0
    var line = "\(title) \(Int(100 * share)) %"
    if seconds > 0, done > skipped.done { line += ", " + rate(Double(done - skipped.done) / seconds) }
    line += isLast ? String(format: ", %.1f s", seconds) : ", " + Self.duration(left) + " left"
    if isTerminal {
      try? FileHandle.standardError.write(contentsOf: Data("\r\u{1B}[K\(line)".utf8))
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
