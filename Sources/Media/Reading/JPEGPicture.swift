import CTurboJPEG
import Clips
import Files
import Foundation

/// JPEG pictures, decoded by libjpeg-turbo as in Pillow: the official example feeds exactly these bytes to the model.
///
/// FFmpeg's decoder rounds differently (46 dB away on a photograph), and the generated clip would differ too. As in the
/// official example, an orientation recorded by the camera is not applied.
enum JPEGPicture {
  /// The most bytes that a file may have; larger files are refused before they are read.
  private static let maximumLength = 1 << 28

  /// The most pixels that all scans together go over; the largest picture in the twenty scans of a good encoder.
  private static let maximumScannedPixels = 20 * ClipReader.maximumPixels

  /// Returns whether a file starts like a JPEG.
  static func isOne(_ path: String) -> Bool {
    let head = try? FileHandle(forReadingFrom: URL(fileURLWithPath: path)).read(upToCount: 3)
    return head == Data([0xFF, 0xD8, 0xFF])
  }

  /// Decodes a picture to RGB.
  static func read(_ path: String) throws -> Clip {
    func fault(_ why: String) -> BenbenError {
      BenbenError(
        .malformed, "cannot decode", at: path, because: why,
        remedies: ["If it can be seen elsewhere, save it anew as PNG or JPEG."])
    }
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    guard let size = attributes?[.size] as? Int, size <= maximumLength else {
      throw fault("it is larger than \(maximumLength) bytes")
    }
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    guard let decoder = tjInitDecompress() else { throw fault("libjpeg-turbo is out of memory") }
    defer { tjDestroy(decoder) }
    // Warnings are ignored, as in Pillow, because cameras leave stray bytes; but a file that ends early is refused.
    guard Self.hasEnd(bytes) else { throw fault("it is cut short: no end of image follows its last scan") }
    func check(_ status: Int32) throws {
      guard status != 0, tjGetErrorCode(decoder) != TJERR_WARNING.rawValue else { return }
      throw fault(tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "libjpeg-turbo failed")
    }
    var (width, height, sampling, colors) = (Int32(0), Int32(0), Int32(0), Int32(0))
    let length = UInt(bytes.count)
    try check(tjDecompressHeader3(decoder, bytes, length, &width, &height, &sampling, &colors))
    guard colors != TJCS_CMYK.rawValue, colors != TJCS_YCCK.rawValue else {
      throw fault("its colours are CMYK; save it as RGB")
    }
    guard width > 0, height > 0, Int(width) * Int(height) <= ClipReader.maximumPixels else {
      throw PictureHead.tooLarge(path, Int(width), Int(height))
    }
    // Every scan of a progressive file goes over the whole picture.
    let scans = Self.scanCount(bytes)
    guard Int(width) * Int(height) <= maximumScannedPixels / max(scans, 1) else {
      throw fault("\(width)×\(height) in \(scans) scans takes too long")
    }
    var pixels = [UInt8](repeating: 0, count: Int(width) * Int(height) * 3)
    // A progressive file of many scans would take minutes.
    let flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS
    try check(
      tjDecompress2(
        decoder, bytes, length, &pixels, width, 3 * width, height, Int32(TJPF_RGB.rawValue), flags))
    return Clip(frame: pixels, width: Int(width), height: Int(height))
  }

  private static func scanCount(_ bytes: [UInt8]) -> Int {
    bytes.indices.dropLast().count { bytes[$0] == 0xFF && bytes[$0 + 1] == 0xDA }
  }

  /// Returns whether an end-of-image marker follows the last start-of-scan marker; scan data cannot contain it.
  private static func hasEnd(_ bytes: [UInt8]) -> Bool {
    var end = false
    for index in bytes.indices.dropLast().reversed() where bytes[index] == 0xFF {
      if bytes[index + 1] == 0xD9 { end = true }
      if bytes[index + 1] == 0xDA { return end }
    }
    return false
  }
}
