import JSON
import Testing

struct JSONTests {
  @Test(arguments: [
    "", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "[1] x", "tru", "nul", "01", "-", "1.", ".5",
    "1e", "+1",
    "NaN", "Infinity", "1e999", "\"a", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
    "\"\\udc00\"",
    "\"tab\there\"", "\u{FEFF}{}", "[1 2]", "'a'", "{\"a\":1 \"b\":2}",
  ])
  func refusesMalformed(text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
  }

  @Test(arguments: ["{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"x\":{\"k\":0,\"k\":0}}"])
  func refusesDuplicateKeys(text: String) {
    #expect { try JSONValue(parsing: text) } throws: { "\($0)".contains("duplicate key") }
  }

  /// Strings are normalised where they are hashed, in the square of a run of marks.
  @Test func refusesKeysOfMarks() throws {
    func text(_ count: Int) -> String { "{\"a" + String(repeating: "\u{301}\u{316}", count: count) + "\":1}" }
    #expect(try JSONValue(parsing: text(15)).object?.count == 1)
    let elapsed = ContinuousClock().measure {
      #expect { try JSONValue(parsing: text(100_000)) } throws: { "\($0)".contains("combining marks") }
    }
    #expect(elapsed < .seconds(2))
  }

  /// Keys beyond ASCII are hashed by their normal form: 45 MB of them took 13 s.
  @Test func boundsTheKeysBeyondASCII() throws {
    func text(_ count: Int, of part: String) -> String {
      let name = String(repeating: part, count: 10_000)
      return "{" + (0..<count).map { "\"\(name)\($0)\":1" }.joined(separator: ",") + "}"
    }
    #expect(try JSONValue(parsing: text(100, of: "\u{e9}")).object?.count == 100)
    #expect { try JSONValue(parsing: text(210, of: "\u{e9}")) } throws: { "\($0)".contains("beyond ASCII") }
    #expect(try JSONValue(parsing: text(500, of: "e")).object?.count == 500)
  }

  @Test func refusesInvalidUTF8() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xC0, 0x80, 0x22]) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22]) }
  }

  @Test func boundsDepth() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try JSONValue(parsing: nested(JSONValue.maximumDepth))
    #expect(throws: JSONError.self) { try JSONValue(parsing: nested(JSONValue.maximumDepth + 1)) }
    #expect(throws: JSONError.self) { try JSONValue(parsing: nested(100_000)) }
  }

  @Test func keepsIntegersExact() throws {
    #expect(try JSONValue(parsing: "9223372036854775807") == .integer(.max))
    #expect(try JSONValue(parsing: "-9223372036854775808") == .integer(.min))
    #expect(try JSONValue(parsing: "1.0") == .number(1))
    #expect(try JSONValue(parsing: "9223372036854775808").integer == nil)
  }

  @Test func decodesEscapes() throws {
    #expect(try JSONValue(parsing: #""\u00e9\n\"\\\/\ud83c\udfac""#) == .string("é\n\"\\/🎬"))
  }

  @Test func writesOneCanonicalText() throws {
    let value: JSONValue = ["b": [1, 2.5, .null], "a": "x\u{1}\"", "é": true]
    #expect(value.canonicalText == "{\"a\":\"x\\u0001\\\"\",\"b\":[1,2.5,null],\"é\":true}")
    #expect(try JSONValue(parsing: value.canonicalText) == value)
    #expect(try JSONValue(parsing: value.prettyText) == value)
  }
}
