import Files
import Foundation
import JSON
import Tensors

/// CLIP's byte-pair tokenizer (`transformers`, `CLIPTokenizer` with ftfy installed); see `TextCleaning` for the covered
/// part of ftfy.
package struct CLIPTokenizer {
  /// The files in a release's tokenizer folder, from all of which the tokenizer is built.
  package static let files: [TokenizerFile] = [.vocabulary, .merges, .settings, .specialTokens]

  private let vocabulary: [String: Int]
  private let merges: BytePairMerges
  private let added: AddedTokens
  private let start: Int, end: Int, padding: Int, unknown: Int
  private let length: Int
  /// One more than the largest id.
  var vocabularySize: Int { (vocabulary.values.max() ?? -1) + 1 }

  /// Reads the tokenizer's files.
  ///
  /// - Parameters:
  ///   - folder: the folder's name, for messages.
  ///   - file: returns the content of a file of the folder, or nil when it is absent.
  package init(folder: String, file: (String) throws -> [UInt8]?) throws {
    func required(_ name: String) throws -> [UInt8] {
      guard let content = try file(name) else { throw missingTokenizerFile("\(folder)/\(name)") }
      return content
    }
    let vocabularyPath = folder + "/vocab.json"
    let members = try Self.parse(try required("vocab.json"), vocabularyPath).object ?? [:]
    var vocabulary: [String: Int] = [:]
    var seen: Set<Int> = []
    for (piece, id) in members {
      guard let id = id.integer, 0..<10_000_000 ~= id, seen.insert(id).inserted else {
        throw tokenizerFault(vocabularyPath, "the id of \"\(piece.prefix(40))\" is no integer of its own")
      }
      vocabulary[piece] = id
    }
    self.vocabulary = vocabulary
    merges = try Self.merges(try required("merges.txt"), folder + "/merges.txt")

    let config = try Self.parse(try required("tokenizer_config.json"), folder + "/tokenizer_config.json")
    let map = try file("special_tokens_map.json").map {
      try Self.parse($0, folder + "/special_tokens_map.json")
    }
    func special(_ key: String, default fallback: String) throws -> (text: String, id: Int) {
      let candidates = [config[key], map?[key]]
      let text = candidates.lazy.compactMap { $0?.string ?? $0?["content"]?.string }.first ?? fallback
      guard let id = vocabulary[text], text.unicodeScalars.count <= AddedTokens.maximumLength else {
        throw tokenizerFault(vocabularyPath, "the \(key) \"\(text.prefix(40))\" is not in the vocabulary")
      }
      return (text, id)
    }
    let end = try special("eos_token", default: "<|endoftext|>")
    let start = try special("bos_token", default: "<|startoftext|>")
    let unknown = try special("unk_token", default: end.text)
    let padding = try special("pad_token", default: end.text)
    added = AddedTokens([start, end, unknown, padding])
    let declared = [config["added_tokens_decoder"], map].flatMap { Array(($0?.object ?? [:]).values) }
      .compactMap { $0.string ?? $0["content"]?.string }
    try merges.requireComplete(
      for: vocabulary, except: Set([start, end, unknown, padding].map(\.text) + declared),
      folder + "/merges.txt")
    self.start = start.id
    self.end = end.id
    self.unknown = unknown.id
    self.padding = padding.id
    let length = config["model_max_length"]?.integer ?? 77
    guard 2...1024 ~= length else {
      throw tokenizerFault(folder + "/tokenizer_config.json", "model_max_length is \(length)")
    }
    self.length = length
  }

  private static func parse(_ bytes: [UInt8], _ path: String) throws -> JSONValue {
    do { return try JSONValue(parsing: bytes) } catch { throw tokenizerFault(path, error.description) }
  }

  private static func merges(_ bytes: [UInt8], _ path: String) throws -> BytePairMerges {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw tokenizerFault(path, "it is not UTF-8")
    }
    // The first line names the version; a released file has more merges than the model uses.
    let lines = text.trimmingCharacters(in: .whitespacesAndNewlines).split(
      omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    var ranks: [BytePairMerges.Pair: Int] = [:]
    for (rank, line) in lines.dropFirst().prefix(49152 - 256 - 2).enumerated() {
      let parts = line.split(whereSeparator: \.isWhitespace)
      guard parts.count == 2, line.allSatisfy({ $0.unicodeScalars.count < 32 }) else {
        throw tokenizerFault(path, "line \(rank + 2) is no pair")
      }
      ranks[BytePairMerges.Pair(left: String(parts[0]), right: String(parts[1]))] = rank
    }
    guard !ranks.isEmpty else { throw tokenizerFault(path, "it holds no merges") }
    return BytePairMerges(ranks: ranks)
  }

  /// Tokenizes a text: start, its ids truncated to fit, end, and padding to the model's length (77).
  package func callAsFunction(_ text: String) -> TokenizedText {
    var ids: [Int] = []
    for piece in added.split(text) {
      switch piece {
      case .token(let id): ids.append(id)
      case .text(let text):
        // Whatever follows would be cut off.
        for word in Self.words(TextCleaning.cleaned(text)) where ids.count < length { ids += encode(word) }
      }
      if ids.count >= length { break }
    }
    let isCut = ids.count > length - 2
    ids = [start] + ids.prefix(length - 2) + [end]
    return TokenizedText(
      ids: ids + Array(repeating: padding, count: length - ids.count), count: ids.count, isCut: isCut)
  }

  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }
  private static let specials = ["<|startoftext|>", "<|endoftext|>"].map { Array($0.unicodeScalars) }

  /// Splits cleaned text into words: special tokens, contractions, runs of letters, single digits, runs of the rest.
  static func words(_ text: String) -> [String] {
    let scalars = Array(text.unicodeScalars)
    var words: [String] = []
    var index = 0
    while index < scalars.count {
      let rest = scalars[index...]
      var end = index + 1
      if let fixed = (specials + contractions).first(where: { rest.starts(with: $0) }) {
        end = index + fixed.count
      } else {
        switch kind(scalars[index]) {
        case .space:
          index += 1
          continue
        case .number: break
        case let kind:
          while end < scalars.count, Self.kind(scalars[end]) == kind { end += 1 }
        }
      }
      words.append(String(String.UnicodeScalarView(scalars[index..<end])))
      index = end
    }
    return words
  }

  private enum Kind {
    case space, letter, number, other
  }

  private static func kind(_ scalar: Unicode.Scalar) -> Kind {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
    case .decimalNumber, .letterNumber, .otherNumber: .number
    default: scalar.properties.isWhitespace ? .space : .other
    }
  }

  /// The printable stand-in for each byte: itself if printable, else a letter from U+0100 on (`bytes_to_unicode`).
  private static let byteSymbols: [String] = {
    var next: UInt32 = 256
    return (0..<256).map { byte -> String in
      if 33...126 ~= byte || 161...172 ~= byte || 174...255 ~= byte {
        return String(Unicode.Scalar(UInt8(byte)))
      }
      defer { next += 1 }
      return Unicode.Scalar(next).map { String($0) } ?? ""
    }
  }()

  private func encode(_ word: String) -> [Int] {
    if Self.specials.contains(Array(word.unicodeScalars)), let id = vocabulary[word] { return [id] }
    var parts = word.utf8.map { Self.byteSymbols[Int($0)] }
    if let last = parts.popLast() { parts.append(last + "</w>") }
    return merges.merged(parts).map { vocabulary[$0] ?? unknown }
  }
}
