import Checkpoints
import Files
import Foundation
import JSON

/// Messages go to standard error; standard output is for what was asked for.
///
/// Whatever is shown may hold names out of files that nobody has vouched for: nothing but a line's own text reaches a
/// terminal or a log.
enum Console {
  /// A line on standard error; when that cannot be written there is nobody to tell.
  static func note(_ line: String) { toStandardError(line.printable + "\n") }

  /// Rewrites the line that the terminal's cursor is in; what is wider than the terminal would scroll it, and is left out.
  static func rewrite(_ line: String) {
    var size = winsize()
    let columns = ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 200
    toStandardError("\r\u{1B}[K" + line.printable.prefix(columns - 1))
  }

  private static func toStandardError(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Lines on standard output.
  ///
  /// - Throws: ``BenbenError`` when they cannot be written.
  static func print(lines: [String]) throws { try write(lines.map { $0.printable + "\n" }.joined(), to: "-") }

  /// Text of lines that are safe to show, on standard output.
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

  static func error(_ line: String) { note("benben: error: " + line) }

  /// Writes a JSON document as ``write(_:to:)-(String,_)`` writes text.
  static func write(_ json: JSONValue, to path: String) throws { try write(json.prettyText, to: path) }

  /// Writes a text: to standard output for "-", into a pipe or device that exists, else to a file that appears whole or not
  /// at all.
  static func write(_ text: String, to path: String) throws {
    if path == "-" { return try print(text) }
    try StagedFile.write(Array(text.utf8), to: path)
  }

  /// Throws when a report cannot be written there; called before long work, as reports come last.
  static func requireWritable(_ path: String?, from inputs: [String] = []) throws {
    try OutputPlaces.requireApart([path], from: inputs)
    if let path, path != "-" { try StagedFile.requireWritable(path) }
  }
}
