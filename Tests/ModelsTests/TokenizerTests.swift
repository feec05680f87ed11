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

  /// Rules whose trie leads outside of it; the library itself would read there.
  @Test func t5RefusesATrieThatLeadsOutside() throws {
    let model = try #require(try Self.file("t5_small")("spiece.model"))
    #expect(SentencePieceModel.fault(in: model) == nil)
    // The charsmap is the longest value: its trie starts behind the four bytes of its length, 0x0002BC00.
    let start = try #require(model.indices.first { model[$0...].starts(with: [0x00, 0xBC, 0x02, 0x00]) })
    var refused = 0
    for unit in stride(from: 0, to: 2048, by: 4) {
      var damaged = model
      damaged[start + 4 + unit + 3] = 0x7F
      if SentencePieceModel.fault(in: damaged) != nil { refused += 1 }
    }
    // Most places of the first pages are reachable.
    #expect(refused > 100)
    var damaged = model
    damaged[start + 4 + 3] = 0x7F
    #expect(throws: (any Error).self) {
      _ = try T5Tokenizer(folder: "t5") { $0 == "spiece.model" ? damaged : nil }
    }
  }

  @Test(arguments: [0, 1, 10, 100_000])
  func t5RefusesTruncatedModels(length: Int) throws {
    let model = try #require(try Self.file("t5_small")("spiece.model"))
    #expect(throws: (any Error).self) {
      _ = try T5Tokenizer(folder: "t5") { $0 == "spiece.model" ? Array(model.prefix(length)) : nil }
    }
  }
}
