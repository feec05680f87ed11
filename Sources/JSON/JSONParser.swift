extension JSONValue {
  /// The maximum nesting depth of arrays and objects.
  package static let maximumDepth = 64
  /// The maximum number of values in a document; each takes more memory than its text, and headers have thousands.
  package static let maximumValues = 2_000_000
  /// The maximum size of all keys beyond ASCII in a document, in bytes; the vocabulary of a tokenizer has 1 MB.
  ///
  /// Strings are hashed and compared by their normal form, which takes ten times as long for these as for others.
  package static let maximumUnicodeKeys = 4_000_000

  /// Parses a complete JSON text (RFC 8259), more strictly than most readers do.
  ///
  /// Besides everything that the grammar forbids, these are refused: a byte-order mark, invalid UTF-8, lone surrogates,
  /// duplicate keys (including keys that differ only in their escapes), keys with more than 30 combining marks in a row,
  /// nesting deeper than ``maximumDepth``, more than ``maximumValues`` values or ``maximumUnicodeKeys``, and numbers
  /// that are not finite doubles.
  ///
  /// - Throws: ``JSONError`` with the byte offset.
  package init(parsing bytes: UnsafeRawBufferPointer) throws(JSONError) {
    var parser = JSONParser(bytes: bytes)
    self = try parser.parseDocument()
  }

  /// Parses an array of bytes as JSON.
  package init(parsing bytes: [UInt8]) throws(JSONError) {
    let result = bytes.withUnsafeBytes { buffer -> Result<JSONValue, JSONError> in
      do throws(JSONError) { return .success(try JSONValue(parsing: buffer)) } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  /// Parses a string as JSON.
  package init(parsing text: String) throws(JSONError) {
    try self.init(parsing: Array(text.utf8))
  }
}

/// A recursive-descent parser over bytes; recursion is bounded by ``JSONValue/maximumDepth``.
struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  var position = 0
  var depth = 0
  var values = 0
  var unicodeKeys = 0

  init(bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  mutating func parseDocument() throws(JSONError) -> JSONValue {
    skipWhitespace()
    let value = try parseValue()
    skipWhitespace()
    if position != bytes.count { throw error("unexpected text after the document") }
    return value
  }

  private func error(_ reason: String) -> JSONError { JSONError(offset: position, reason: reason) }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipWhitespace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  private mutating func parseValue() throws(JSONError) -> JSONValue {
    values += 1
    if values > JSONValue.maximumValues { throw error("more than \(JSONValue.maximumValues) values") }
    switch current {
    case nil: throw error("unexpected end")
    case UInt8(ascii: "{"): return try parseObject()
    case UInt8(ascii: "["): return try parseArray()
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseLiteral("true", .bool(true))
    case UInt8(ascii: "f"): return try parseLiteral("false", .bool(false))
    case UInt8(ascii: "n"): return try parseLiteral("null", .null)
    default: return try parseNumber()
    }
  }

  private mutating func parseLiteral(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue
  {
    for index in 0..<text.utf8CodeUnitCount {
      guard current == text.utf8Start[index] else { throw error("unexpected character") }
      position += 1
    }
    return value
  }

  private mutating func enter() throws(JSONError) {
    depth += 1
    if depth > JSONValue.maximumDepth { throw error("nested deeper than \(JSONValue.maximumDepth) levels") }
    position += 1
    skipWhitespace()
  }

  /// Consumes the separator after an element; returns false when it is `close`, which ends the container.
  private mutating func hasNext(before close: UInt8) throws(JSONError) -> Bool {
    skipWhitespace()
    guard let byte = current else { throw error("unexpected end") }
    guard byte == close || byte == UInt8(ascii: ",") else {
      throw error("expected ',' or the closing bracket")
    }
    position += 1
    if byte == close {
      depth -= 1
      return false
    }
    skipWhitespace()
    return true
  }

  private mutating func parseArray() throws(JSONError) -> JSONValue {
    try enter()
    var elements: [JSONValue] = []
    if current == UInt8(ascii: "]") {
      position += 1
      depth -= 1
      return .array(elements)
    }
    repeat { elements.append(try parseValue()) } while try hasNext(before: UInt8(ascii: "]"))
    return .array(elements)
  }

  private mutating func parseObject() throws(JSONError) -> JSONValue {
    try enter()
    var members: [String: JSONValue] = [:]
    if current == UInt8(ascii: "}") {
      position += 1
      depth -= 1
      return .object(members)
    }
    repeat {
      guard current == UInt8(ascii: "\"") else { throw error("expected a key") }
      let keyOffset = position
      let key = try parseString()
      guard key.isStreamSafe else {
        throw JSONError(offset: keyOffset, reason: "a key of too many combining marks")
      }
      if !key.utf8.allSatisfy({ $0 < 0x80 }) { unicodeKeys += key.utf8.count }
      guard unicodeKeys <= JSONValue.maximumUnicodeKeys else {
        throw JSONError(
          offset: keyOffset, reason: "more than \(JSONValue.maximumUnicodeKeys) bytes of keys beyond ASCII")
      }
      skipWhitespace()
      guard current == UInt8(ascii: ":") else { throw error("expected ':'") }
      position += 1
      skipWhitespace()
      if members.updateValue(try parseValue(), forKey: key) != nil {
        throw JSONError(offset: keyOffset, reason: "duplicate key \"\(key)\"")
      }
    } while try hasNext(before: UInt8(ascii: "}"))
    return .object(members)
  }

  private mutating func parseString() throws(JSONError) -> String {
    position += 1
    let start = position
    while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 {
      position += 1
    }
    // Most strings have no escapes and are taken in one piece.
    if current == UInt8(ascii: "\"") {
      let text = try utf8(bytes[start..<position], at: start)
      position += 1
      return text
    }
    var units = Array(bytes[start..<position])
    while true {
      guard let byte = current else { throw error("unterminated string") }
      if byte < 0x20 { throw error("control character in a string") }
      position += 1
      if byte == UInt8(ascii: "\"") { return try utf8(units[...], at: start) }
      if byte == UInt8(ascii: "\\") {
        try parseEscape(into: &units)
      } else {
        units.append(byte)
      }
    }
  }

  private func utf8(_ units: some Collection<UInt8>, at offset: Int) throws(JSONError) -> String {
    guard let text = String(validating: units, as: UTF8.self) else {
      throw JSONError(offset: offset, reason: "a string is not valid UTF-8")
    }
    return text
  }

  private mutating func parseEscape(into units: inout [UInt8]) throws(JSONError) {
    guard let escape = current else { throw error("unterminated string") }
    position += 1
    switch escape {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): units.append(escape)
    case UInt8(ascii: "b"): units.append(0x08)
    case UInt8(ascii: "f"): units.append(0x0C)
    case UInt8(ascii: "n"): units.append(0x0A)
    case UInt8(ascii: "r"): units.append(0x0D)
    case UInt8(ascii: "t"): units.append(0x09)
    case UInt8(ascii: "u"):
      var scalar = try parseFourHexDigits()
      if 0xD800...0xDBFF ~= scalar {
        guard current == UInt8(ascii: "\\"), position + 1 < bytes.count,
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw error("lone surrogate") }
        position += 2
        let low = try parseFourHexDigits()
        guard 0xDC00...0xDFFF ~= low else { throw error("lone surrogate") }
        scalar = 0x10000 + (scalar - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let valid = Unicode.Scalar(scalar) else { throw error("lone surrogate") }
      units.append(contentsOf: UTF8.encode(valid)?.map { $0 } ?? [])
    default: throw error("unknown escape")
    }
  }

  private mutating func parseFourHexDigits() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw error("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  private mutating func parseNumber() throws(JSONError) -> JSONValue {
    let start = position
    if current == UInt8(ascii: "-") { position += 1 }
    let leadingZero = current == UInt8(ascii: "0")
    let digits = skipDigits()
    if digits == 0 { throw error("unexpected character") }
    if leadingZero && digits > 1 { throw error("a number starts with 0") }
    var isInteger = true
    if current == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      if skipDigits() == 0 { throw error("expected a digit") }
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { position += 1 }
      if skipDigits() == 0 { throw error("expected a digit") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw JSONError(offset: start, reason: "a number is out of range")
    }
    return .number(value)
  }

  private mutating func skipDigits() -> Int {
    let start = position
    while let byte = current, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { position += 1 }
    return position - start
  }
}
