import Foundation
import Testing

@testable import Media

struct MediaTests {
  private let folder: String
  private let width = 64, height = 64, count = 5

  init() throws {
    folder = NSTemporaryDirectory() + "benben-media-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  /// A bright square that moves over a dark gradient.
  private var clip: [UInt8] {
    (0..<count).flatMap { frame in
      (0..<width * height).flatMap { place -> [UInt8] in
        let (x, y) = (place % width, place / width)
        let inside = (10 + 6 * frame..<26 + 6 * frame).contains(x) && (20..<36).contains(y)
        return inside ? [230, 40, 60] : [UInt8(x), UInt8(y), 90]
      }
    }
  }

  private func psnr(_ a: [UInt8], _ b: [UInt8]) -> Double {
    let squares = zip(a, b).reduce(0.0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
    return 10 * log10(255 * 255 * Double(a.count) / max(squares, 1e-9))
  }

  private func write(_ name: String, _ frames: [UInt8]? = nil) throws -> String {
    let path = folder + "/" + name
    try ClipWriter.write(frames ?? clip, width: width, height: height, framesPerSecond: 24, to: path)
    return path
  }

  @Test func foldersOfImagesAreLossless() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = try write("frames")
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    #expect(names.first == "frame_0000.png" && names.count == count)
    let read = try ClipReader.read(path)
    #expect((read.width, read.height) == (width, height))
    #expect(read.frames == clip)
    // Written once more it is replaced; a folder of something else is not.
    _ = try write("frames")
    try Data().write(to: URL(fileURLWithPath: path + "/notes.txt"))
    #expect(throws: BenbenError.self) { try write("frames") }
  }

  @Test func anImageIsLossless() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let image = Array(clip.prefix(width * height * 3))
    #expect(try ClipReader.read(write("image.png", image)).frames == image)
    #expect(throws: BenbenError.self) { try write("image2.png") }
  }

  /// `Fixtures/media/block.jpg` was written by OpenCV at quality 95: 24×16, RGB (200, 120, 30) around (40, 60, 200).
  @Test func readsJPEG() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fixtures/media/block.jpg").path
    let image = try ClipReader.read(path)
    #expect((image.width, image.height) == (24, 16))
    for (pixel, expected) in [(0, [200, 120, 30]), (8 * 24 + 12, [40, 60, 200])] {
      for channel in 0..<3 { #expect(abs(Int(image.frames[3 * pixel + channel]) - expected[channel]) <= 6) }
    }
  }

  @Test func videosComeBackCloseAndInOrder() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let read = try ClipReader.read(write("clip.mp4"))
    #expect(read.frames.count == clip.count)
    #expect(psnr(read.frames, clip) > 33)
    // The same frames in another order are far away: the comparison can fail.
    let size = width * height * 3
    let reversed = stride(from: clip.count - size, through: 0, by: -size).flatMap { clip[$0..<$0 + size] }
    #expect(psnr(read.frames, reversed) < 20)
    #expect(
      FileManager.default.contents(atPath: folder + "/clip.mp4")?.prefix(12).suffix(8)
        == Data("ftypisom".utf8))
  }

  @Test func animationsComeBack() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let read = try ClipReader.read(write("clip.gif"))
    #expect(read.frames.count == clip.count)
    #expect(psnr(read.frames, clip) > 28)
  }

  @Test func theLossyFloorIsThatOfTheOfficialWriter() throws {
    let floor = try EncodingBaseline.roundTrip(clip, width: width, height: height, framesPerSecond: 24)
    #expect(floor.frames.count == clip.count)
    #expect(25..<45 ~= psnr(floor.frames, clip))
  }

  @Test func refusesWhatIsNoClip() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let video = Array(try #require(FileManager.default.contents(atPath: try write("clip.mp4"))))
    var huge = video
    // 115, 116: the size of the first box.
    huge.replaceSubrange(0..<4, with: [0, 0, 0, 1])
    let garbage: [[UInt8]] = [
      [], [0], Array("hello world".utf8), Array(video.prefix(40)), huge, Array(repeating: 0xFF, count: 5000),
      Array("#EXTM3U\nfile:///etc/passwd\n".utf8),
    ]
    for (index, bytes) in garbage.enumerated() {
      let path = folder + "/garbage\(index).mp4"
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      #expect(throws: BenbenError.self, "\(index)") { try ClipReader.read(path) }
    }
    #expect(throws: BenbenError.self) { try ClipReader.read(folder + "/absent.mp4") }
    #expect(throws: BenbenError.self) { try write("clip.avi") }
    #expect(throws: BenbenError.self) { try write("no/such/folder/clip.mp4") }
  }
}

struct VMAFTests {
  /// A clip against itself, and against one that is washed out.
  @Test(.enabled(if: VMAF.isAvailable, "no ffmpeg with libvmaf is installed"))
  func tellsAClipFromAWorseOne() throws {
    let (width, height) = (128, 64)
    var clip: [UInt8] = []
    for pixel in 0..<3 * width * height {
      let isLight = (pixel / 8 + pixel / width / 8).isMultiple(of: 2)
      clip += [UInt8](repeating: isLight ? 220 : 40, count: 3)
    }
    let gray = clip.map { level in UInt8((Int(level) + 1170) / 10) }
    let same = try #require(VMAF.scores(of: clip, reference: clip, width: width, height: height))
    let worse = try #require(VMAF.scores(of: gray, reference: clip, width: width, height: height))
    #expect(same.count == 3 && worse.count == 3)
    #expect(same.allSatisfy { $0 > 95 } && worse.allSatisfy { $0 < 60 }, "\(same) \(worse)")
  }

  /// What is no clip of that size gives no numbers.
  @Test func refusesOtherSizes() {
    #expect(VMAF.scores(of: [1, 2, 3], reference: [1, 2, 3], width: 64, height: 64) == nil)
  }
}
