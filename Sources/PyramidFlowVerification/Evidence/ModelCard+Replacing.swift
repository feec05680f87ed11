import Files
import Foundation

extension ModelCard {
  /// Throws when what stands at a path is no card of this kind, or somebody added to it, and that would be lost.
  public static func requireReplaceable(_ path: String) throws {
    guard path != "-", FileSystem.exists(path), !FileSystem.isFolder(path), try InputFile(path: path).size > 0
    else { return }
    func refusal(_ why: String) -> BenbenError {
      BenbenError(
        .cannotCreate, "the output exists", at: path, because: why,
        remedies: ["Move it away, or name another file."])
    }
    guard try isOne(path) else { throw refusal("it is no card that was made here") }
    guard try isAsMade(path) else { throw refusal("this card was changed, or an earlier version made it") }
  }

  /// Returns whether a file starts as every card of this kind does.
  static func isOne(_ path: String) throws -> Bool {
    let start = Array("---\nlibrary_name: benben\n".utf8)
    let file = try InputFile(path: path)
    return try file.bytes(at: 0, count: min(file.size, start.count)) == start
  }

  /// Returns whether a card has its last line, and nothing before it was changed.
  private static func isAsMade(_ path: String) throws -> Bool {
    let file = try InputFile(path: path)
    guard file.size <= maximumLength else { return false }
    let text = String(decoding: try file.contents(limit: maximumLength), as: UTF8.self)
    guard let start = text.range(of: "<!--", options: .backwards)?.lowerBound else { return false }
    return text[start...] == lastLine(after: text[..<start])
  }

  /// The last line of a card, which is not shown: by it a card that somebody changed is known.
  static func lastLine(after text: some StringProtocol) -> String {
    "<!-- SHA-256 of what is above, as it was made: \(Digest.sha256(Array(text.utf8))) -->\n"
  }
}
