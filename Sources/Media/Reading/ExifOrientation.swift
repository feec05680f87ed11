import Files

/// How a camera says that a picture is to be turned (Exif, tag 0x0112).
enum ExifOrientation {
  private static let tag = 0x0112
  /// The most segments of a JPEG that are passed over.
  private static let maximumParts = 10_000

  /// Returns the orientation, 2 to 8, that a JPEG, PNG, WebP, TIFF or AVIF records; nil where it is to be shown as it is, or
  /// none is recorded.
  static func recorded(in path: String) -> Int? {
    guard let file = try? InputFile(path: path), let head = try? file.bytes(at: 0, count: min(file.size, 12))
    else { return nil }
    if head.dropFirst(4).starts(with: "ftypavi".utf8) { return ofAVIF(file) }
    if let directory = TIFFDirectory(file) { return orientation(directory) }
    let part =
      head.starts(with: [0xFF, 0xD8])
      ? exifOfJPEG(file) : PictureChunks(file).flatMap { $0["eXIf"] ?? $0["EXIF"] }
    guard let part else { return nil }
    let tiff = part.starts(with: Array("Exif\0\0".utf8)) ? Array(part.dropFirst(6)) : part
    return TIFFDirectory { offset, count in
      offset >= 0 && offset + count <= tiff.count ? Array(tiff[offset..<offset + count]) : nil
    }.flatMap(orientation)
  }

  private static func orientation(_ directory: TIFFDirectory) -> Int? {
    directory[tag].flatMap { 2...8 ~= $0 ? $0 : nil }
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

  /// Returns what the boxes `irot` and `imir` of an AVIF's head say.
  private static func ofAVIF(_ file: InputFile) -> Int? {
    guard let head = try? file.bytes(at: 0, count: min(file.size, PictureChunks.maximumLength)) else {
      return nil
    }
    func value(_ box: String) -> Int? {
      let start = [0, 0, 0, 9] + Array(box.utf8)
      return (0..<max(head.count - 8, 0)).first { head[$0] == 0 && head[$0..<$0 + 8].elementsEqual(start) }
        .map { Int(head[$0 + 8]) }
    }
    // Quarters of a turn to the left, then a mirror: 0 from top to bottom, 1 from side to side.
    let turned = [1, 8, 3, 6], mirrored = [[4, 2], [5, 7], [2, 4], [7, 5]]
    let turns = value("irot").map { $0 & 3 } ?? 0
    let orientation = value("imir").map { mirrored[turns][$0 & 1] } ?? turned[turns]
    return orientation == 1 ? nil : orientation
  }
}
