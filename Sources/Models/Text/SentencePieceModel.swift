/// A SentencePiece model (`sentencepiece_model.proto`, `ModelProto`), reduced to what tokenizing with it needs.
///
/// The library trusts its models: it has no bounds checks where it walks their rules, and ends the process where a value
/// surprises it. So it never sees the file, only ``serialized``: the known fields, each checked, written anew.
struct SentencePieceModel {
  /// The reason why a model cannot be used.
  struct Fault: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
  }

  /// The bytes for the library.
  let serialized: [UInt8]
  /// The texts of the pieces, in the order of their ids.
  let texts: [[UInt8]]

  private static let maximumPieces = 1_000_000
  /// The longest piece in bytes; released ones have at most 50.
  private static let maximumPieceLength = 1000
  /// The most user-defined pieces on a way down; the library's array for them has room for 64.
  private static let maximumNesting = 64

  private enum Field {
    static let piece = 1, trainer = 2, normalizer = 3
    static let text = 1, score = 2, type = 3
    static let modelType = 3, suffix = 24, byteFallback = 35, unknownSurface = 44
    static let tokens = [45, 46, 47, 48]
    static let charsmap = 2, switches = [3, 4, 5]
  }

  /// The type of a piece.
  private enum PieceType: UInt64 {
    case normal = 1, unknown, control, userDefined, unused, byte
  }

  /// Reads a model.
  ///
  /// - Throws: ``Fault`` when it is malformed, of another kind than Unigram, or holds what the library cannot bear.
  init(_ bytes: [UInt8]) throws(Fault) {
    guard let model = ProtocolBuffer(bytes[...]) else { throw Fault("it is no protocol buffer") }
    var pieces: [UInt8] = []
    var texts: [[UInt8]] = []
    var parts: [Int: [UInt8]] = [:]
    var userDefined: [[UInt8]] = []
    var count = 0
    for (number, value) in model.fields {
      switch (number, value) {
      case (Field.piece, .bytes(let message)):
        count += 1
        guard count <= Self.maximumPieces else {
          throw Fault("it has more than \(Self.maximumPieces) pieces")
        }
        pieces += ProtocolBuffer.encoded(
          number, .bytes(try Self.piece(message, count, &texts, &userDefined)[...]))
      case (Field.trainer, .bytes(let message)), (Field.normalizer, .bytes(let message)):
        guard parts[number] == nil else { throw Fault("field \(number) stands in it twice") }
        parts[number] =
          number == Field.trainer ? try Self.trainer(message) : try Self.normalizer(message)
      case (Field.piece...Field.normalizer, _): throw Fault("field \(number) is of another type")
      // Whatever else there is, tokenizing does not need.
      default: break
      }
    }
    guard count > 0 else { throw Fault("it has no pieces") }
    guard Self.nesting(of: userDefined) <= Self.maximumNesting else {
      throw Fault("more than \(Self.maximumNesting) user-defined pieces are beginnings of one another")
    }
    self.texts = texts
    serialized =
      pieces
      + parts.sorted { $0.key < $1.key }.flatMap { ProtocolBuffer.encoded($0.key, .bytes($0.value[...])) }
  }

  private static func piece(
    _ message: ArraySlice<UInt8>, _ number: Int, _ texts: inout [[UInt8]], _ userDefined: inout [[UInt8]]
  ) throws(Fault) -> [UInt8] {
    let fields = try fields(of: message, "piece \(number)", [Field.text, Field.score, Field.type])
    guard case .bytes(let text)? = fields[Field.text], 1...maximumPieceLength ~= text.count,
      !text.contains(0),
      String(validating: text, as: UTF8.self) != nil
    else { throw Fault("piece \(number) has no sensible text") }
    texts.append(Array(text))
    var encoded = ProtocolBuffer.encoded(Field.text, .bytes(text))
    if let score = fields[Field.score] {
      guard case .fixed32(let bits) = score, Float(bitPattern: bits).magnitude <= 1e6 else {
        throw Fault("the score of piece \(number) is no sensible number")
      }
      encoded += ProtocolBuffer.encoded(Field.score, score)
    }
    if let type = fields[Field.type] {
      guard case .varint(let value) = type, let known = PieceType(rawValue: value) else {
        throw Fault("piece \(number) is of an unknown type")
      }
      if known == .byte, !isByte(text) { throw Fault("piece \(number) is no byte such as <0x0A>") }
      if known == .userDefined { userDefined.append(Array(text)) }
      encoded += ProtocolBuffer.encoded(Field.type, type)
    }
    return encoded
  }

  /// Returns whether a text is that of a byte, `<0x0A>`.
  private static func isByte(_ text: ArraySlice<UInt8>) -> Bool {
    text.count == 6 && text.starts(with: "<0x".utf8) && text.last == UInt8(ascii: ">")
      && text.dropFirst(3).dropLast().allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "A")...UInt8(ascii: "F") ~= $0
      }
  }

  private static func trainer(_ message: ArraySlice<UInt8>) throws(Fault) -> [UInt8] {
    let known = [Field.modelType, Field.suffix, Field.byteFallback, Field.unknownSurface] + Field.tokens
    let fields = try fields(of: message, "the trainer", known)
    if let type = fields[Field.modelType] {
      guard case .varint(1) = type else { throw Fault("it is no Unigram model") }
    }
    var encoded: [UInt8] = []
    for number in known {
      guard let value = fields[number] else { continue }
      switch value {
      case .varint where number < Field.unknownSurface: break
      case .bytes(let text)
      where number >= Field.unknownSurface && 1...maximumPieceLength ~= text.count && !text.contains(0)
        && String(validating: text, as: UTF8.self) != nil:
        break
      default: throw Fault("field \(number) of the trainer has no sensible value")
      }
      encoded += ProtocolBuffer.encoded(number, value)
    }
    return encoded
  }

  private static func normalizer(_ message: ArraySlice<UInt8>) throws(Fault) -> [UInt8] {
    let fields = try fields(of: message, "the normalizer", [Field.charsmap] + Field.switches)
    var encoded: [UInt8] = []
    if let charsmap = fields[Field.charsmap] {
      guard case .bytes(let bytes) = charsmap else { throw Fault("its normalizer is malformed") }
      if !bytes.isEmpty {
        guard let rules = NormalizationRules(bytes), rules.areSound else {
          throw Fault("its normalisation rules lead outside themselves, or nest too deeply")
        }
        encoded += ProtocolBuffer.encoded(Field.charsmap, charsmap)
      }
    }
    for number in Field.switches {
      guard let value = fields[number] else { continue }
      guard case .varint(let flag) = value, flag <= 1 else { throw Fault("its normalizer is malformed") }
      encoded += ProtocolBuffer.encoded(number, value)
    }
    return encoded
  }

  /// Returns the known fields of a message, of which none may stand in it twice.
  private static func fields(
    of message: ArraySlice<UInt8>, _ what: String, _ known: [Int]
  ) throws(Fault) -> [Int: ProtocolBuffer.Value] {
    guard let parsed = ProtocolBuffer(message) else { throw Fault("\(what) is malformed") }
    var fields: [Int: ProtocolBuffer.Value] = [:]
    for (number, value) in parsed.fields where known.contains(number) {
      guard fields.updateValue(value, forKey: number) == nil else {
        throw Fault("\(what) has field \(number) twice")
      }
    }
    return fields
  }

  /// Returns the length of the longest chain of texts of which each is the beginning of the next.
  private static func nesting(of texts: [[UInt8]]) -> Int {
    var chain: [[UInt8]] = []
    var longest = 0
    for text in texts.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
      while let last = chain.last, !text.starts(with: last) { chain.removeLast() }
      chain.append(text)
      longest = max(longest, chain.count)
    }
    return longest
  }
}
