import Files

/// The chunks of a PNG (a length, a name, the content, a sum) or a WebP (a name, a length, and the content in pairs of
/// bytes).
struct PictureChunks {
  /// The most bytes of a chunk, or of a head, that are read.
  static let maximumLength = 1 << 16
  /// The most chunks that are passed over.
  private static let maximumCount = 10_000

  private let file: InputFile
  private let start: Int
  private let isPNG: Bool

  /// Returns nil for a file of another format.
  init?(_ file: InputFile) {
    guard let head = try? file.bytes(at: 0, count: 12) else { return nil }
    self.file = file
    isPNG = head.starts(with: [0x89, 0x50, 0x4E, 0x47])
    start = isPNG ? 8 : 12
    guard isPNG || Self.isWebP(head) else { return nil }
  }

  /// Returns whether these are the first twelve bytes of a WebP.
  static func isWebP(_ head: some Collection<UInt8>) -> Bool {
    head.starts(with: "RIFF".utf8) && head.dropFirst(8).elementsEqual("WEBP".utf8)
  }

  /// The beginning of the content of the first chunk of that name; nil without one.
  subscript(name: String) -> [UInt8]? {
    var position = start
    for _ in 0..<Self.maximumCount {
      guard let head = try? file.bytes(at: position, count: 8) else { return nil }
      let (bytes, found) = isPNG ? (head[..<4], head[4...]) : (head[4...], head[..<4])
      let length = (isPNG ? Array(bytes) : bytes.reversed()).reduce(0) { $0 << 8 | Int($1) }
      if found.elementsEqual(name.utf8) {
        return try? file.bytes(at: position + 8, count: min(length, Self.maximumLength))
      }
      position += 8 + length + (isPNG ? 4 : length % 2)
    }
    return nil
  }
}
