import Files
import Foundation
import JSON
import Testing

@testable import Models

/// Ids must equal those of the official tokenizers exactly.
struct TokenizerTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures/tokenizers").path

  private static func file(_ folder: String) -> (String) throws -> [UInt8]? {
    { name in FileManager.default.contents(atPath: "\(fixtures)/\(folder)/\(name)").map(Array.init) }
  }

  private static func cases(_ path: String) throws -> [(text: String, ids: [Int])] {
    let bytes = Array(try #require(FileManager.default.contents(atPath: "\(fixtures)/\(path)")))
    let cases = try #require(try JSONValue(parsing: bytes)["cases"]?.array)
    return try cases.map { (try #require($0["text"]?.string), try #require($0["ids"]?.integers)) }
  }

  @Test(arguments: ["clip/cases.json", "random/clip.json"])
  func clipMatchesOfficialIDs(path: String) throws {
    let tokenizer = try CLIPTokenizer(folder: "clip", file: Self.file("clip"))
    let cases = try Self.cases(path)
    #expect(cases.count >= 40)
    for item in cases { #expect(tokenizer(item.text).ids == item.ids, "\(item.text.debugDescription)") }
  }

  @Test(arguments: ["t5_small/cases.json", "random/t5.json"])
  func t5MatchesOfficialIDs(path: String) throws {
    let tokenizer = try T5Tokenizer(folder: "t5_small", file: Self.file("t5_small"))
    let cases = try Self.cases(path)
    #expect(cases.count >= 40)
    for item in cases { #expect(try tokenizer(item.text).ids == item.ids, "\(item.text.debugDescription)") }
  }

  /// Ids without an embedding would end a run after its weights were loaded.
  @Test(arguments: [("clip", "tokenizer"), ("t5_small", "tokenizer_2")])
  func tokenizersFitTheirEncoders(fixture: String, folder: String) throws {
    let family = ModelFamily.miniFLUX
    let fits: JSONValue = ["vocab_size": 49408]
    try family.requireTokenizer(folder, config: fits, file: Self.file(fixture))
    let error = try #require(throws: BenbenError.self) {
      try family.requireTokenizer(folder, config: ["vocab_size": 100], file: Self.file(fixture))
    }
    #expect(error.kind == .malformed && error.why.contains("embeddings for 100"), "\(error)")
  }

  @Test func padsAndCounts() throws {
    let tokenizer = try CLIPTokenizer(folder: "clip", file: Self.file("clip"))
    let tokens = tokenizer("a red ball")
    #expect(tokens.count == 5)
    #expect(tokens.ids.count == 77)
    #expect(tokens.ids[tokens.count...].allSatisfy { $0 == tokens.ids[tokens.count - 1] })
  }

  @Test(arguments: [
    ("vocab.json", "[]"), ("vocab.json", "{\"a\": 1, \"b\": 1}"), ("vocab.json", "{\"a\": -1}"),
    ("vocab.json", "{\"a\": 99999999999}"), ("merges.txt", "#version\nonly-one-part\n"),
    ("merges.txt", "#version\na b c\n"), ("tokenizer_config.json", "{\"model_max_length\": 0}"),
    ("tokenizer_config.json", "{\"eos_token\": \"absent\"}"), ("tokenizer_config.json", "{"),
  ])
  func clipRefusesMalformedFiles(name: String, content: String) {
    #expect(throws: (any Error).self) {
      _ = try CLIPTokenizer(folder: "clip") { try $0 == name ? Array(content.utf8) : Self.file("clip")($0) }
    }
  }

  /// An otherwise sound vocabulary with an id that stands there twice, or that no embedding can have.
  @Test(arguments: ["2147483648", "0", "-1", "1.5"]) func idsAreOfTheirOwn(id: String) throws {
    let sound = String(decoding: try #require(try Self.file("clip")("vocab.json")), as: UTF8.self)
    #expect(sound.contains(":0") || sound.contains(": 0"))
    let changed = "{\"one more\": \(id), " + sound.dropFirst()
    let error = try #require(throws: BenbenError.self) {
      try CLIPTokenizer(folder: "clip") {
        try $0 == "vocab.json" ? Array(changed.utf8) : Self.file("clip")($0)
      }
    }
    #expect(error.why.contains("no integer of its own"), "\(error)")
  }

  /// Rules whose trie leads outside of it; the library itself would read there.
  @Test func t5RefusesATrieThatLeadsOutside() throws {
    let model = try #require(try Self.file("t5_small")("spiece.model"))
    _ = try SentencePieceModel(model)
    // The charsmap is the longest value: its trie starts behind the four bytes of its length, 0x0002BC00.
    let start = try #require(model.indices.first { model[$0...].starts(with: [0x00, 0xBC, 0x02, 0x00]) })
    var refused = 0
    for unit in stride(from: 0, to: 2048, by: 4) {
      var damaged = model
      damaged[start + 4 + unit + 3] = 0x7F
      do { _ = try SentencePieceModel(damaged) } catch { refused += 1 }
    }
    // Most places of the first pages are reachable.
    #expect(refused > 100)
    var damaged = model
    damaged[start + 4 + 3] = 0x7F
    #expect(throws: BenbenError.self) {
      _ = try T5Tokenizer(folder: "t5") { $0 == "spiece.model" ? damaged : nil }
    }
  }

  /// What crashed the library when it was given the file itself, and controls beside the limits.
  @Test func t5RefusesWhatTheLibraryCannotBear() throws {
    let model = try #require(try Self.file("t5_small")("spiece.model"))
    let parsed = try #require(ProtocolBuffer(model[...]))
    func other(than number: Int, _ added: [UInt8]) -> [UInt8] {
      parsed.fields.filter { $0.number != number }.flatMap { ProtocolBuffer.encoded($0.number, $0.value) }
        + added
    }
    func piece(_ text: [UInt8], _ type: UInt64, score: Float = 0) -> [UInt8] {
      let message =
        ProtocolBuffer.encoded(1, .bytes(text[...])) + ProtocolBuffer.encoded(2, .fixed32(score.bitPattern))
        + ProtocolBuffer.encoded(3, .varint(type))
      return ProtocolBuffer.encoded(1, .bytes(message[...]))
    }
    func rules(_ charsmap: [UInt8]) -> [UInt8] {
      other(
        than: 3,
        ProtocolBuffer.encoded(3, .bytes(ProtocolBuffer.encoded(2, .bytes(charsmap[...]))[...])))
    }
    func nested(_ count: Int) -> [UInt8] {
      // Not the piece "q" itself, which the model has.
      (3..<count + 3).flatMap { piece([UInt8](repeating: UInt8(ascii: "q"), count: $0), 4) }
    }
    let hostile: [(name: String, bytes: [UInt8])] = [
      ("a tag of 33 bits", model + [0x92, 0x80, 0x80, 0x80, 0x10, 0x00]),
      ("field 0", model + [0x02, 0x00]),
      ("107 a varint that is cut short", model + [0x28, 0x80]),
      ("107 a varint of more than 64 bits", model + [0x28] + [UInt8](repeating: 0xFF, count: 9) + [0x02]),
      ("107 an endless varint", model + [0x28] + [UInt8](repeating: 0x80, count: 12)),
      ("a value past the end", model + [0x2A, 0x05, 0x00]),
      ("a group", model + [0x2B, 0x2C]),
      ("33 rules that begin one another", rules(Self.chain(33))),
      ("a circle of rules", rules(Self.circle)),
      ("65 user-defined pieces that begin one another", nested(65) + model),
      ("104 a long piece", piece([UInt8](repeating: UInt8(ascii: "q"), count: 100_000), 1) + model),
      ("106 a piece with NUL", piece([0x71, 0], 1) + model),
      ("108 a byte token that is none", piece(Array("<0x-1>".utf8), 6) + model),
      ("a piece without text", piece([], 1) + model),
      ("a piece that is no text", piece([0xFF], 1) + model),
      ("a score that is no number", piece([0x71], 1, score: .nan) + model),
      ("a type of piece", piece([0x71], 9) + model),
      ("two normalizers", model + ProtocolBuffer.encoded(3, .bytes([]))),
      ("BPE", other(than: 2, ProtocolBuffer.encoded(2, .bytes([0x18, 0x02])))),
    ]
    for (name, bytes) in hostile {
      #expect(throws: BenbenError.self, "\(name)") {
        _ = try T5Tokenizer(folder: "t5") { $0 == "spiece.model" ? bytes : nil }
      }
    }
    for (name, bytes) in [("rules", rules(Self.chain(32))), ("pieces", nested(64) + model)] {
      let tokenizer = try T5Tokenizer(folder: "t5") { $0 == "spiece.model" ? bytes : nil }
      #expect(try tokenizer(String(repeating: "q", count: 300)).count > 1, "\(name)")
    }
  }

  /// Rules for q, qq, qqq and so on, each node's children in a block of their own.
  private static func chain(_ depth: Int) -> [UInt8] {
    var units = [UInt32](repeating: 0, count: 256 * (depth + 2))
    var position = 0
    for level in 0...depth {
      let base = 256 * (level + 1)
      let label: UInt32 = level == 0 ? 0 : 0x71
      units[position] = UInt32(position ^ base) << 10 | (level == 0 ? 0 : 1 << 8) | label
      if level > 0 { units[base] = 0x8000_0000 }
      position = base ^ 0x71
    }
    return charsmap(units)
  }

  /// A rule for q whose node is its own child.
  private static let circle: [UInt8] = {
    var units = [UInt32](repeating: 0, count: 512)
    units[0] = 256 << 10
    let node = 256 ^ 0x71
    units[node] = UInt32(node ^ 256) << 10 | 1 << 8 | 0x71
    units[256] = 0x8000_0000
    return charsmap(units)
  }()

  private static func charsmap(_ units: [UInt32]) -> [UInt8] {
    func bytes(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
    return bytes(UInt32(4 * units.count)) + units.flatMap(bytes) + [UInt8(ascii: "q"), 0]
  }

  /// What the library sees has the meaning of the file: the ids of the cases are compared elsewhere.
  @Test func t5ModelsAreWrittenAnew() throws {
    let model = try #require(try Self.file("t5_small")("spiece.model"))
    let checked = try SentencePieceModel(model)
    #expect(checked.serialized.count < model.count)
    #expect(try SentencePieceModel(checked.serialized).serialized == checked.serialized)
  }

  @Test(arguments: [0, 1, 10, 100_000])
  func t5RefusesTruncatedModels(length: Int) throws {
    let model = try #require(try Self.file("t5_small")("spiece.model"))
    #expect(throws: (any Error).self) {
      _ = try T5Tokenizer(folder: "t5") { $0 == "spiece.model" ? Array(model.prefix(length)) : nil }
    }
  }

  private static func clip(_ changed: [String: String]) throws -> CLIPTokenizer {
    let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
    let pieces = letters + letters.map { $0 + "</w>" } + ["re", "<|startoftext|>", "<|endoftext|>"]
    let rows = pieces.enumerated().map { "\"\($1)\":\($0)" }.joined(separator: ",")
    let files = [
      "vocab.json": "{\(rows)}", "merges.txt": "#version: 0.2\nr e\n",
      "tokenizer_config.json": "{\"model_max_length\":77}",
    ].merging(changed) { $1 }
    return try CLIPTokenizer(folder: "tokenizer") { files[$0].map { Array($0.utf8) } }
  }

  /// 109 and 110: merges that no word reaches, or that lack a part, and 104 for CLIP: a word of 100 KB.
  @Test func clipBearsOddMerges() throws {
    let long = String(repeating: "q", count: 100_000)
    let elapsed = try ContinuousClock().measure {
      let tokenizer = try Self.clip(["merges.txt": "#version: 0.2\n\(long) \(long)\nr e\n"])
      #expect(tokenizer("red").count > 2)
      #expect(tokenizer(long).ids.count == 77)
    }
    #expect(elapsed < .seconds(5))
    for merges in ["#version: 0.2\nr\n", "#version: 0.2\nr e d\n", "#version: 0.2\n e\n"] {
      #expect(throws: BenbenError.self, "\(merges)") { _ = try Self.clip(["merges.txt": merges]) }
    }
  }

  /// 114: a chat template is a program, and nothing here runs it.
  @Test func aTemplateIsNotRendered() throws {
    let config =
      "{\"model_max_length\":77,\"chat_template\":\"{% for i in range(10**9) %}{{ 1/0 }}{% endfor %}\"}"
    let plain = try Self.clip([:])
    #expect(try Self.clip(["tokenizer_config.json": config])("a red ball").ids == plain("a red ball").ids)
  }

  /// Letters that do meet in merges, in one word of 20,000: each pair is joined once.
  @Test func aLongWordTakesNoLongerThanItsLetters() throws {
    let tokenizer = try CLIPTokenizer(folder: "clip", file: Self.file("clip"))
    var state: UInt64 = 1
    let word = String(
      decoding: (0..<20_000).map { _ -> UInt8 in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(ascii: "a") + UInt8(state >> 33 & 15)
      }, as: UTF8.self)
    let elapsed = ContinuousClock().measure { #expect(tokenizer(word).ids.count == 77) }
    #expect(elapsed < .seconds(2))
  }

  /// Hundreds of tokens that begin alike, in a text that is all of their beginnings: the time is that of their lengths.
  @Test func tokensThatBeginAlikeAreSplitInTime() {
    let tokens = (1...255).map { (text: String(repeating: "a", count: $0) + "b", id: $0) }
    let added = AddedTokens(tokens)
    #expect(added.split("aaab!") == [.token(3), .text("!")])
    let elapsed = ContinuousClock().measure {
      let text = String(repeating: "a", count: 100_000)
      #expect(added.split(text) == [.text(text)])
    }
    #expect(elapsed < .seconds(10), "\(elapsed)")
  }

  /// Every entry of a vocabulary that is no letter is made by a merge: one line less, and the file is cut short.
  @Test func mergesAreComplete() throws {
    let content = String(decoding: try #require(try Self.file("clip")("merges.txt")), as: UTF8.self)
    let lines = content.split(separator: "\n").dropLast().joined(separator: "\n")
    let error = #expect(throws: BenbenError.self) {
      _ = try CLIPTokenizer(folder: "clip") {
        $0 == "merges.txt" ? Array(lines.utf8) : try Self.file("clip")($0)
      }
    }
    #expect(error?.why.contains("cut short") == true, "\(String(describing: error))")
    // A token that was added has no merge.
    let vocabulary = String(decoding: try #require(try Self.file("clip")("vocab.json")), as: UTF8.self)
    let changed = [
      "vocab.json": vocabulary.replacing("{\"!\"", with: "{\"<pad>\": 49408, \"!\""),
      "tokenizer_config.json": "{\"pad_token\": \"<pad>\", \"model_max_length\": 77}",
    ]
    _ = try CLIPTokenizer(folder: "clip") { name in
      try changed[name].map { Array($0.utf8) } ?? Self.file("clip")(name)
    }
  }

  /// A model that lacks a piece of the vocabulary beside it gives every later one another id.
  @Test func piecesAreThoseOfTheVocabularyBeside() throws {
    let model = try #require(try Self.file("t5_small")("spiece.model"))
    let fast = try #require(try Self.file("t5_small")("tokenizer.json"))
    try T5Tokenizer.requirePieces(of: model, in: fast, folder: "tokenizer_2")
    // The first piece is a field of one byte for its name, one for its length, and that many.
    let other = Array(model.dropFirst(2 + Int(model[1])))
    let error = #expect(throws: BenbenError.self) {
      try T5Tokenizer.requirePieces(of: other, in: fast, folder: "tokenizer_2")
    }
    #expect(error?.why.contains("its piece 0 is") == true, "\(String(describing: error))")
    let short = #expect(throws: BenbenError.self) {
      try T5Tokenizer.requirePieces(
        of: model, in: Array("{\"model\":{\"vocab\":[]}}".utf8), folder: "tokenizer_2")
    }
    #expect(short?.subject == "tokenizer_2/tokenizer.json")
  }
}
