import Clips
import Files
import Foundation
import TestSupport
import Testing

@testable import Media

/// Pictures must reach the model with the bytes that the official example gives it.
struct PictureTests {
  private static let pictures = Fixtures.path + "/media/pictures"

  /// Pillow 13: `Image.open(…).convert("RGB").resize((width, height))`.
  @Test(arguments: [
    "baseline.jpg", "progressive.jpg", "full-chroma.jpg", "gray.jpg", "rgb.png", "gray.png", "palette.png",
    "alpha.png", "bits.png", "gray-alpha.png", "rgb.webp", "rgb.bmp", "rgb.tiff",
    "rgb16.png", "alpha16.png", "gray-alpha16.png",
  ])
  func readsAndResizesAsPillowDoes(name: String) throws {
    let expected = try ClipReader.read(
      "\(Self.pictures)/resized-\(name.replacingOccurrences(of: ".", with: "-")).png")
    let picture = try ClipReader.read("\(Self.pictures)/\(name)", maximumFrames: 1)
    #expect(picture.width == 61 && picture.height == 45)
    let resized = picture.resized(width: expected.width, height: expected.height)
    #expect(resized.width == expected.width && resized.height == expected.height)
    #expect(resized.bytes == expected.bytes)
  }

  /// What of a picture is not used is said; an animation that cannot be decoded is called one.
  @Test func saysWhatIsLeftOut() throws {
    func remarks(_ name: String) -> String {
      ClipReader.remarks(on: "\(Self.pictures)/\(name)").joined(separator: "; ")
    }
    for name in ["alpha.png", "gray-alpha.png", "alpha16.png", "gray-alpha16.png"] {
      #expect(remarks(name).contains("an alpha channel, which is left out"), "\(name)")
    }
    for name in ["rgb.png", "palette.png", "gray.jpg", "rgb.webp", "rgb.bmp", "rgb.tiff", "rgb16.png"] {
      #expect(remarks(name) == "", "\(name)")
    }
    func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
    func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
      Array(name.utf8) + little(content.count, 4) + content
    }
    func tiff(extra: Int, next: Int) -> [UInt8] {
      [0x49, 0x49, 42, 0] + little(8, 4) + little(1, 2)
        + little(338, 2) + little(3, 2) + little(1, 4) + little(extra, 4) + little(next, 4)
    }
    let webp = Array("RIFF".utf8) + little(100, 4) + Array("WEBP".utf8)
    let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 13, 10, 26, 10]
    let frames: [UInt8] = [0, 0, 0, 8] + Array("acTL".utf8) + [0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4]
    let folder = try TestFolder()
    for (bytes, hasAlpha, hasMore) in [
      (tiff(extra: 1, next: 0), true, false), (tiff(extra: 0, next: 300), false, true),
      (webp + chunk("VP8X", [0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0]), true, false),
      (webp + chunk("VP8X", [0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0]), false, true),
      (webp + chunk("VP8L", [0x2F, 0, 0, 0, 0x10]), true, false), (png + frames, false, true),
    ] {
      let path = try folder.write(bytes, "x")
      let text = ClipReader.remarks(on: path).joined(separator: "; ")
      #expect(text.contains("alpha") == hasAlpha && text.contains("further pictures") == hasMore, "\(text)")
      for count in bytes.indices { _ = ClipReader.remarks(on: try folder.write(Array(bytes[..<count]), "x")) }
    }
    // FFmpeg decodes it to black.
    for isLittle in [true, false] {
      func number(_ value: Int, _ count: Int) -> [UInt8] {
        isLittle ? little(value, count) : little(value, count).reversed()
      }
      let entry = number(1, 2) + number(259, 2) + number(4, 2) + number(1, 4) + number(7, 4) + number(0, 4)
      let head: [UInt8] = isLittle ? [0x49, 0x49, 42, 0] : [0x4D, 0x4D, 0, 42]
      let compressed = try folder.write(head + number(8, 4) + entry, "x.tiff")
      let error = #expect(throws: BenbenError.self) { try ClipReader.read(compressed) }
      #expect(error?.why == "it is a TIFF whose picture is compressed as JPEG")
    }
    let side: [UInt8] = [0, 0, 0x4E, 0x20]
    let huge = try folder.write(
      png + [0, 0, 0, 13] + Array("IHDR".utf8) + side + side + [8, 2, 0, 0, 0], "x.png")
    let tooLarge = #expect(throws: BenbenError.self) { try ClipReader.read(huge) }
    #expect(tooLarge?.why == "it has 20000×20000 pixels, of which \(ClipReader.maximumPixels) are the most")
    let animated = try folder.write(webp + chunk("VP8X", [0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0]), "x.webp")
    let error = #expect(throws: BenbenError.self) { try ClipReader.read(animated) }
    #expect(error?.why == "it is an animated WebP")
  }

  @Test func anotherShapeIsCroppedPaddedOrStretched() {
    // Four columns of grey, each of its own level.
    let levels: [UInt8] = [10, 90, 170, 250]
    let picture = Clip(frame: (0..<2).flatMap { _ in levels.flatMap { [$0, $0, $0] } }, width: 4, height: 2)
    func row(_ clip: Clip, _ row: Int) -> [UInt8] {
      (0..<clip.width).map { clip.bytes[3 * (row * clip.width + $0)] }
    }
    let cropped = picture.resized(width: 2, height: 2, fit: .crop)
    #expect(row(cropped, 0) == [90, 170] && row(cropped, 1) == [90, 170])
    let padded = picture.resized(width: 4, height: 4, fit: .pad)
    #expect(row(padded, 0) == [0, 0, 0, 0] && row(padded, 1) == levels && row(padded, 2) == levels)
    #expect(row(padded, 3) == [0, 0, 0, 0])
    let beside = Clip(frame: [10, 10, 10, 90, 90, 90], width: 1, height: 2).resized(
      width: 3, height: 2, fit: .pad)
    #expect(row(beside, 0) == [0, 10, 0] && row(beside, 1) == [0, 90, 0])
    #expect(picture.resized(width: 2, height: 2, fit: .stretch) == picture.resized(width: 2, height: 2))
    for fit in Clip.Fit.allCases {
      #expect(picture.resized(width: 4, height: 2, fit: fit) == picture)
      let thin = picture.resized(width: 64, height: 1, fit: fit)
      #expect(thin.width == 64 && thin.height == 1)
    }
  }

  /// A picture beyond the limit is answered with the limit, and not only with FFmpeg's "invalid data".
  @Test func saysWhichPicturesAreRead() throws {
    // A TIFF of one sample of f32, and the head of a PNG of 40000×40000.
    func number(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 255) } }
    let entries = [
      (256, 1), (257, 1), (258, 32), (259, 1), (262, 1), (273, 200), (277, 1), (278, 1), (279, 4), (339, 3),
    ]
    let directory = entries.reduce(into: number(entries.count, 2)) {
      $0 += number($1.0, 2) + number(4, 2) + number(1, 4) + number($1.1, 4)
    }
    let tiff = Array("II".utf8) + number(42, 2) + number(8, 4) + directory
    let png: [UInt8] =
      [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8)
      + [0, 0, 0x9C, 0x40, 0, 0, 0x9C, 0x40, 8, 2, 0, 0, 0, 0, 0, 0, 0]
    for (bytes, words) in [(tiff + [UInt8](repeating: 0, count: 204), "8 or 16 bits"), (png, "are the most")]
    {
      let path = NSTemporaryDirectory() + "benben-picture-" + UUID().uuidString
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      defer { try? FileManager.default.removeItem(atPath: path) }
      let error = try #require(throws: BenbenError.self) { try ClipReader.read(path) }
      let said = error.why + error.remedies.joined()
      #expect(error.kind == .malformed && said.contains(words), "\(error)")
    }
  }

  /// Every scan goes over the whole picture: many over a large one are refused before the first.
  @Test func refusesManyScansOfALargePicture() throws {
    let frame: [UInt8] = [0xFF, 0xC2, 0, 11, 8, 0x1F, 0x40, 0x1F, 0x40, 1, 1, 0x11, 0]
    let scan: [UInt8] = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0]
    let bytes = [0xFF, 0xD8] + frame + (0..<25).flatMap { _ in scan } + [0xFF, 0xD9]
    let path = NSTemporaryDirectory() + "benben-picture-" + UUID().uuidString + ".jpg"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let error = try #require(throws: BenbenError.self) { try ClipReader.read(path) }
    #expect(error.why.contains("8000×8000 in 25 scans"), "\(error)")
  }

  @Test func refusesWhatIsNoPictureOfItsKind() throws {
    let error = try #require(throws: BenbenError.self) {
      try ClipReader.read("\(Self.pictures)/cmyk.jpg")
    }
    #expect(error.why.contains("CMYK"))
    let whole = try Data(contentsOf: URL(fileURLWithPath: "\(Self.pictures)/progressive.jpg"))
    let path = NSTemporaryDirectory() + "benben-picture-" + UUID().uuidString + ".jpg"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for length in stride(from: 4, to: whole.count - 2, by: 7) {
      try whole.prefix(length).write(to: URL(fileURLWithPath: path))
      #expect(throws: BenbenError.self, "\(length)") { try ClipReader.read(path) }
    }
    for index in stride(from: 3, to: whole.count, by: 3) {
      var changed = whole
      changed[index] ^= 0xA5
      try changed.write(to: URL(fileURLWithPath: path))
      if let picture = try? ClipReader.read(path) {
        #expect(picture.bytes.count == picture.width * picture.height * 3)
      }
    }
  }
}
