/// A message of Protocol Buffers, taken apart into its fields, and put together again.
///
/// The reading is strict, so that nobody who reads the same bytes can find other fields in them: tags of more than 32
/// bits, the field number 0 and groups are refused.
struct ProtocolBuffer {
  /// A field's value as it is encoded.
  enum Value {
    case varint(UInt64)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
    case fixed32(UInt32)
  }

  /// The fields in the order of the message.
  let fields: [(number: Int, value: Value)]

  /// Takes a message apart; nil when it is malformed.
  init?(_ message: ArraySlice<UInt8>) {
    var fields: [(Int, Value)] = []
    var rest = message
    while !rest.isEmpty {
      guard let tag = Self.varint(&rest), tag <= UInt64(UInt32.max), tag >> 3 > 0 else { return nil }
      let value: Value? =
        switch tag & 7 {
        case 0: Self.varint(&rest).map(Value.varint)
        case 1: Self.fixed(8, &rest).map(Value.fixed64)
        case 2: Self.varint(&rest).flatMap { Self.take($0, &rest) }.map(Value.bytes)
        case 5: Self.fixed(4, &rest).map { .fixed32(UInt32($0)) }
        default: nil
        }
      guard let value else { return nil }
      fields.append((Int(tag >> 3), value))
    }
    self.fields = fields
  }

  private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      // The tenth byte has room for one bit.
      if shift == 63, byte > 1 { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  private static func take(_ count: UInt64, _ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard count <= UInt64(rest.count) else { return nil }
    defer { rest = rest.dropFirst(Int(count)) }
    return rest.prefix(Int(count))
  }

  private static func fixed(_ count: UInt64, _ rest: inout ArraySlice<UInt8>) -> UInt64? {
    take(count, &rest)?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Returns a field as bytes of a message.
  static func encoded(_ number: Int, _ value: Value) -> [UInt8] {
    func tag(_ type: UInt64) -> [UInt8] { encoded(UInt64(number) << 3 | type) }
    return switch value {
    case .varint(let value): tag(0) + encoded(value)
    case .fixed64(let value): tag(1) + withUnsafeBytes(of: value.littleEndian) { Array($0) }
    case .bytes(let bytes): tag(2) + encoded(UInt64(bytes.count)) + bytes
    case .fixed32(let value): tag(5) + withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
  }

  private static func encoded(_ varint: UInt64) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = varint
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
}
