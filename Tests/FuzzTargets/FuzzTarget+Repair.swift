import Files

extension FuzzTarget {
  /// Returns the input with its checksums made right, so that changes reach what stands behind them.
  public func repaired(_ bytes: [UInt8]) -> [UInt8] {
    switch self {
    case .native: Self.repairedComponent(bytes)
    case .pack: Self.repairedPack(bytes)
    default: bytes
    }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.reversed().reduce(0) { $0 &<< 8 | Int($1) }
  }

  private static func bytes(_ number: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  /// Sets the hash of the header and the length of the file in the preamble.
  private static func repairedComponent(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.count > 64 else { return bytes }
    var bytes = bytes
    let length = number(bytes[16..<24])
    guard 0...bytes.count - 64 ~= length else { return bytes }
    bytes.replaceSubrange(24..<56, with: Digest.sha256Bytes(Array(bytes[64..<64 + length])))
    bytes.replaceSubrange(56..<64, with: Self.bytes(bytes.count, 8))
    return bytes
  }

  /// Sets the place, the length and the hash of the index, which reaches from its frame to the trailer.
  private static func repairedPack(_ bytes: [UInt8]) -> [UInt8] {
    let trailer = 64
    guard bytes.count > trailer + 8 else { return bytes }
    var bytes = bytes
    let end = bytes.count - trailer
    let start = number(bytes[end + 8..<end + 16])
    guard 0...end - 8 ~= start else { return bytes }
    bytes.replaceSubrange(start + 4..<start + 8, with: Self.bytes(end - start - 8, 4))
    bytes.replaceSubrange(end + 16..<end + 24, with: Self.bytes(end - start - 8, 8))
    bytes.replaceSubrange(end + 24..<end + 56, with: Digest.sha256Bytes(Array(bytes[start + 8..<end])))
    return bytes
  }
}
