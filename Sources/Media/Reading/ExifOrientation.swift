import Files

/// How a camera says that a picture is to be turned (Exif, tag 0x0112).
enum ExifOrientation {
  private static let tag = 0x0112
  private static let maximumLength = 1 << 16
  /// The most segments or chunks that are passed over.
  private static let maximumParts = 10_000

  /// Returns the orientation, 2 to 8, that a JPEG, PNG, WebP, TIFF or AVIF records; nil where it is to be shown as it is, or
  /// none is recorded.
  static func recorded(in path: String) -> Int? {
    guard let file = try? InputFile(path: path), let head = try? file.bytes(at: 0, count: min(file.size, 12))
    else { return nil }
    if head.dropFirst(4).starts(with: "ftypavi".utf8) { return ofAVIF(file) }
    if isTIFF(head) { return orientation { try? file.bytes(at: $0, count: $1) } }
    let part =
      if head.starts(with: [0xFF, 0xD8]) {
        exifOfJPEG(file)
      } else if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) {
        chunk("eXIf", of: file, from: 8, isBig: true, trailer: 4)
      } else if head.starts(with: "RIFF".utf8), head.dropFirst(8).elementsEqual("WEBP".utf8) {
        chunk("EXIF", of: file, from: 12, isBig: false, trailer: 0)
      } else {
        [UInt8]?.none
      }
    guard let part else { return nil }
    let tiff = part.starts(with: Array("Exif\0\0".utf8)) ? Array(part.dropFirst(6)) : part
    guard isTIFF(tiff) else { return nil }
    return orientation { offset, count in
      offset >= 0 && offset + count <= tiff.count ? Array(tiff[offset..<offset + count]) : nil
    }
  }

  /// Whether these are the first bytes of a TIFF, which Exif is.
  static func isTIFF(_ head: [UInt8]) -> Bool {
    head.starts(with: [0x49, 0x49, 0x2A, 0]) || head.starts(with: [0x4D, 0x4D, 0, 0x2A])
  }

  /// Returns the segment of a JPEG before the picture's data: a marker, a length that counts itself, and the content.
  private static func exifOfJPEG(_ file: InputFile) -> [UInt8]? {
    var position = 2
    for _ in 0..<maximumParts {
      guard let head = try? file.bytes(at: position, count: 4), head[0] == 0xFF, head[1] != 0xDA else {
        return nil
      }
      if head[1] == 0xFF {  // Any number of these may fill the space before a marker.
        position += 1
        continue
      }
      let length = max(Int(head[2]) << 8 | Int(head[3]), 2)
      if head[1] == 0xE1, let content = try? file.bytes(at: position + 4, count: length - 2),
        content.starts(with: Array("Exif\0\0".utf8))
      {
        return content
      }
      position += 2 + length
    }
    return nil
  }

  /// Returns what the boxes `irot` (quarters of a turn to the left) or else `imir` of an AVIF's head say.
  private static func ofAVIF(_ file: InputFile) -> Int? {
    guard let head = try? file.bytes(at: 0, count: min(file.size, maximumLength)) else { return nil }
    func value(_ box: String) -> Int? {
      let start = [0, 0, 0, 9] + Array(box.utf8)
      return (0..<max(head.count - 8, 0)).first { head[$0] == 0 && head[$0..<$0 + 8].elementsEqual(start) }
        .map { Int(head[$0 + 8]) }
    }
    switch value("irot").map({ $0 & 3 }) {
    case 1: return 8
    case 2: return 3
    case 3: return 6
    default: return value("imir").map { $0 & 1 == 0 ? 4 : 2 }
    }
  }

  /// Returns the content of a chunk of a PNG (a length, a name, the content, a sum) or a WebP (a name, a length, and the
  /// content in pairs of bytes).
  private static func chunk(
    _ name: String, of file: InputFile, from start: Int, isBig: Bool, trailer: Int
  ) -> [UInt8]? {
    var position = start
    for _ in 0..<maximumParts {
      guard let head = try? file.bytes(at: position, count: 8) else { return nil }
      let (bytes, found) = isBig ? (head[..<4], head[4...]) : (head[4...], head[..<4])
      let length = (isBig ? Array(bytes) : bytes.reversed()).reduce(0) { $0 << 8 | Int($1) }
      if found.elementsEqual(name.utf8) {
        return try? file.bytes(at: position + 8, count: min(length, maximumLength))
      }
      position += 8 + length + (isBig ? 0 : length % 2) + trailer
    }
    return nil
  }

  /// Reads the first directory of a TIFF structure, of which the closure returns bytes from an offset on.
  private static func orientation(_ bytes: (_ offset: Int, _ count: Int) -> [UInt8]?) -> Int? {
    guard let order = bytes(0, 1) else { return nil }
    let isLittle = order[0] == UInt8(ascii: "I")
    func number(_ offset: Int, _ count: Int) -> Int? {
      bytes(offset, count).map { (isLittle ? $0.reversed() : $0).reduce(0) { $0 << 8 | Int($1) } }
    }
    guard let directory = number(4, 4), let count = number(directory, 2) else { return nil }
    for index in 0..<count {
      let entry = directory + 2 + 12 * index
      guard let found = number(entry, 2) else { return nil }
      if found == tag { return number(entry + 8, 2).flatMap { 2...8 ~= $0 ? $0 : nil } }
    }
    return nil
  }
}
