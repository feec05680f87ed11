import Files

/// The first directory of a TIFF structure, which Exif is as well.
struct TIFFDirectory {
  private let bytes: (_ offset: Int, _ count: Int) -> [UInt8]?
  private let isLittle: Bool

  /// Returns nil for a file of another format.
  init?(_ file: InputFile) { self.init { try? file.bytes(at: $0, count: $1) } }

  /// Reads a structure of which the closure returns bytes from an offset on, nil beyond its end.
  init?(_ bytes: @escaping (_ offset: Int, _ count: Int) -> [UInt8]?) {
    guard let head = bytes(0, 4), Self.isOne(head) else { return nil }
    self.bytes = bytes
    isLittle = head[0] == UInt8(ascii: "I")
  }

  /// Returns whether these are the first bytes of a TIFF.
  static func isOne(_ head: some Collection<UInt8>) -> Bool {
    head.starts(with: [0x49, 0x49, 0x2A, 0]) || head.starts(with: [0x4D, 0x4D, 0, 0x2A])
  }

  /// The first value of an entry, one of 8, 16 or 32 bits; nil without the entry.
  subscript(tag: Int) -> Int? {
    guard let start = number(4, 4), let count = number(start, 2) else { return nil }
    for entry in (0..<count).map({ start + 2 + 12 * $0 }) {
      guard let found = number(entry, 2) else { return nil }
      // Types 1, 3 and 4 are of one, two and four bytes.
      if found == tag { return number(entry + 8, [1: 1, 4: 4][number(entry + 2, 2) ?? 0] ?? 2) }
    }
    return nil
  }

  /// Whether another directory follows, as of a second page.
  var hasNext: Bool {
    guard let start = number(4, 4), let count = number(start, 2) else { return false }
    return number(start + 2 + 12 * count, 4) ?? 0 > 0
  }

  private func number(_ offset: Int, _ count: Int) -> Int? {
    bytes(offset, count).map { (isLittle ? $0.reversed() : $0).reduce(0) { $0 << 8 | Int($1) } }
  }
}
