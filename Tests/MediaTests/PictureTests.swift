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
    "alpha.png", "bits.png", "gray-alpha.png",
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
