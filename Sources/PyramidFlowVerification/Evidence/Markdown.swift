import Files
import JSON

/// How texts stand in a card: in its Markdown, its tables, and the YAML of its front matter.
enum Markdown {
  /// Returns a text as YAML reads it: as it is where that is a name of a repository, else in quotes.
  static func scalar(_ text: String) -> String {
    text.wholeMatch(of: /[A-Za-z0-9][\w.\-]*\/[\w.\-]+/) == nil
      ? JSONValue.string(text.printable).canonicalText : text
  }

  /// Returns a text of a report that Markdown shows as it is: no markup, link or end of a cell.
  ///
  /// What stands in backticks is a hash of the model's or the golden's.
  static func plain(_ text: String) -> String {
    if text.hasPrefix("`"), text.dropFirst().dropLast().allSatisfy(\.isHexDigit) { return text }
    return String(
      text.printable.unicodeScalars.flatMap { scalar -> [Character] in
        "\\`[]<>&|#!".unicodeScalars.contains(scalar) ? ["\\", Character(scalar)] : [Character(scalar)]
      })
  }

  /// A table in Markdown.
  static func table(_ headers: [String], _ rows: [[String]]) -> String {
    func line(_ cells: [String]) -> String {
      "| " + cells.map(plain).joined(separator: " | ") + " |"
    }
    return ([line(headers), line(headers.map { _ in "---" })] + rows.map(line)).joined(separator: "\n")
  }
}
