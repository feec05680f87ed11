/// A reader of little-endian numbers and runs of bytes from a buffer; every read returns nil past the end.
struct ByteReader {
  private let bytes: ArraySlice<UInt8>
  /// The index of the next byte.
  private(set) var position: Int

  init(_ bytes: [UInt8]) { self.init(bytes[...]) }

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  var remaining: Int { bytes.endIndex - position }

  mutating func byte() -> UInt8? {
    guard remaining > 0 else { return nil }
    defer { position += 1 }
    return bytes[position]
  }

  mutating func run(_ count: Int) -> ArraySlice<UInt8>? {
    guard count >= 0, count <= remaining else { return nil }
    defer { position += count }
    return bytes[position..<position + count]
  }

  /// Reads an unsigned number of up to eight bytes.
  mutating func unsigned(_ count: Int) -> UInt64? {
    run(count)?.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Reads an unsigned number as an integer; also returns nil when it does not fit into one.
  mutating func integer(_ count: Int) -> Int? { unsigned(count).flatMap(Int.init(exactly:)) }
}
