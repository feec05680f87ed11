import Foundation

/// How a camera says that a picture is to be turned (Exif, tag 0x0112).
enum JPEGOrientation {
  private static let tag = 0x0112
  private static let maximumLength = 1 << 18

  /// Returns the orientation, 2 to 8, that a JPEG's head records; nil where it is to be shown as it is, or none is recorded.
  static func recorded(in path: String) -> Int? {
    guard let handle = try? FileHandle(forReadingFrom: URL(fileURLWithPath: path)),
      let head = try? handle.read(upToCount: maximumLength), head.starts(with: [0xFF, 0xD8])
    else { return nil }
    let bytes = [UInt8](head)
    var position = 2
    // The segments before the picture's data: a marker, a length that counts itself, and the content.
    while position + 4 <= bytes.count, bytes[position] == 0xFF, bytes[position + 1] != 0xDA {
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      let content = position + 4..<min(position + 2 + max(length, 2), bytes.count)
      if bytes[position + 1] == 0xE1, bytes[content].starts(with: Array("Exif\0\0".utf8)) {
        return orientation(Array(bytes[content].dropFirst(6)))
      }
      position += 2 + max(length, 2)
    }
    return nil
  }

  /// Reads the first directory of a TIFF structure.
  private static func orientation(_ tiff: [UInt8]) -> Int? {
    guard tiff.count >= 8, tiff.starts(with: Array("II".utf8)) || tiff.starts(with: Array("MM".utf8)) else {
      return nil
    }
    let isLittle = tiff[0] == UInt8(ascii: "I")
    func number(_ offset: Int, _ count: Int) -> Int? {
      guard offset >= 0, offset + count <= tiff.count else { return nil }
      let bytes = tiff[offset..<offset + count]
      return (isLittle ? bytes.reversed() : Array(bytes)).reduce(0) { $0 << 8 | Int($1) }
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
