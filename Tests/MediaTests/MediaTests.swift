import Clips
import Files
import Foundation
import TestSupport
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
    try #require(Clip(width: width, height: height, bytes: frames ?? clip)).write(to: path)
    return path
  }

  @Test func foldersOfImagesAreLossless() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = try write("frames")
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    #expect(names.first == "frame_0000.png" && names.count == count)
    let read = try ClipReader.read(path)
    #expect((read.width, read.height) == (width, height))
    #expect(read.bytes == clip)
    // Written once more it is replaced; a folder of something else is not.
    _ = try write("frames")
    try Data().write(to: URL(fileURLWithPath: path + "/notes.txt"))
    #expect(throws: BenbenError.self) { try write("frames") }
  }

  @Test func anImageIsLossless() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let image = Array(clip.prefix(width * height * 3))
    #expect(try ClipReader.read(write("image.png", image)).bytes == image)
    #expect(throws: BenbenError.self) { try write("image2.png") }
  }

  /// `Fixtures/media/block.jpg` was written by OpenCV at quality 95: 24×16, RGB (200, 120, 30) around (40, 60, 200).
  @Test func readsJPEG() throws {
    let path = Fixtures.path + "/media/block.jpg"
    let image = try ClipReader.read(path)
    #expect((image.width, image.height) == (24, 16))
    for (pixel, expected) in [(0, [200, 120, 30]), (8 * 24 + 12, [40, 60, 200])] {
      for channel in 0..<3 { #expect(abs(Int(image.bytes[3 * pixel + channel]) - expected[channel]) <= 6) }
    }
  }

  @Test func videosComeBackCloseAndInOrder() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let read = try ClipReader.read(write("clip.mp4"))
    #expect(read.bytes.count == clip.count)
    #expect(psnr(read.bytes, clip) > 33)
    // The same frames in another order are far away: the comparison can fail.
    let size = width * height * 3
    let reversed = stride(from: clip.count - size, through: 0, by: -size).flatMap { clip[$0..<$0 + size] }
    #expect(psnr(read.bytes, reversed) < 20)
    #expect(
      FileManager.default.contents(atPath: folder + "/clip.mp4")?.prefix(12).suffix(8)
        == Data("ftypisom".utf8))
  }

  @Test func animationsComeBack() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let read = try ClipReader.read(write("clip.gif"))
    #expect(read.bytes.count == clip.count)
    #expect(psnr(read.bytes, clip) > 28)
  }

  @Test func theLossyFloorIsThatOfTheOfficialWriter() throws {
    let floor = try EncodingBaseline.roundTrip(
      try #require(Clip(width: width, height: height, bytes: clip)), framesPerSecond: 24)
    #expect(floor.bytes.count == clip.count)
    #expect(25..<45 ~= psnr(floor.bytes, clip))
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

  /// B11 of the review: FFmpeg can decode far more than videos that anyone has.
  @Test func decodesByAListOnly() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let video = Data(try #require(FileManager.default.contents(atPath: write("clip.mp4"))))
    let name = try #require(video.range(of: Data("avc1".utf8), in: 40..<video.count))
    for code in ["cvid", "SVQ3", "rle ", "mp2v"] {
      let path = folder + "/\(code).mov"
      var other = video
      other.replaceSubrange(name, with: Data(code.utf8))
      try other.write(to: URL(fileURLWithPath: path))
      let error = try #require(throws: BenbenError.self) { try ClipReader.read(path) }
      #expect(error.what == "this video is not decoded", "\(code): \(error.why)")
    }
  }

  /// The boxes of an MP4, changed: 115 to 120 of the catalogue.
  ///
  /// Whatever FFmpeg makes of it, it ends soon, takes little, and
  /// gives a clip of the right size or an error.
  @Test(arguments: [
    "115 size 0", "115 size 1", "115 size 7", "116 largesize", "117 count", "118 place", "119 extents",
    "120 depth", "a lone senc", "parameters of another clip",
  ])
  func bearsHostileBoxes(attack: String) throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var bytes = Array(try #require(FileManager.default.contents(atPath: write("clip.mp4"))))
    func place(of box: String) throws -> Int {
      let name = Array(box.utf8)
      // After the first box, of less than 256 bytes, which names brands like boxes.
      return try #require(bytes.indices.dropFirst(Int(bytes[3])).first { bytes[$0...].starts(with: name) })
        - 4
    }
    func big(_ value: UInt64, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64(count - 1 - $0))) }
    }
    func put(_ value: UInt64, _ count: Int, at place: Int) {
      bytes.replaceSubrange(place..<place + count, with: big(value, count))
    }
    func box(_ name: String, _ content: [UInt8]) -> [UInt8] {
      big(UInt64(content.count + 8), 4) + Array(name.utf8) + content
    }
    switch attack {
    case "115 size 0": put(0, 4, at: try place(of: "trak"))
    case "115 size 1": put(1, 4, at: try place(of: "stbl"))
    case "115 size 7": put(7, 4, at: try place(of: "stsd"))
    case "116 largesize":
      let moov = try place(of: "moov")
      put(1, 4, at: moov)
      put(.max - 3, 8, at: moov + 8)
    case "117 count": put(0xFFFF_FFFF, 4, at: try place(of: "stsz") + 16)
    case "118 place": put(0xFFFF_FF00, 4, at: try place(of: "stco") + 16)
    case "119 extents": put(0xFFFF_FFFF, 4, at: try place(of: "avc1") + 32)
    case "120 depth":
      var nested: [UInt8] = []
      for _ in 0..<10_000 { nested = box("moov", nested.count < 80_000 ? nested : []) }
      bytes = Array(bytes.prefix(try place(of: "moov"))) + nested
    case "a lone senc":
      let senc = box("senc", big(2, 4) + big(0xFFFF_FFFF, 4) + big(0xFFFF_FFFF_FFFF_FFFF, 8))
      bytes += box("moof", box("traf", senc))
    default:
      // The parameter sets of another size, in the sample description.
      let other = folder + "/other.mp4"
      try Clip(width: 96, height: 32, bytes: [UInt8](repeating: 9, count: 96 * 32 * 3))?.write(to: other)
      let others = Array(try #require(FileManager.default.contents(atPath: other)))
      let (from, to) = (
        try #require(others.indices.first { others[$0...].starts(with: Array("avcC".utf8)) }),
        try place(of: "avcC") + 4
      )
      bytes.replaceSubrange(to..<to + 40, with: others[from..<from + 40])
    }
    let path = folder + "/hostile.mp4"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let elapsed = ContinuousClock().measure {
      do {
        let clip = try ClipReader.read(path, maximumFrames: 100)
        #expect(clip.width * clip.height * 3 * clip.count == clip.bytes.count && clip.count <= 100)
      } catch { #expect(error is BenbenError) }
    }
    #expect(elapsed < .seconds(10))
  }

  /// 121 and 122 of the catalogue: encrypted samples with more parts than bytes, and pictures of 64×64, then of 128×64.
  @Test(arguments: [
    ("subsamples", "it is damaged, or of a format that is not read"), ("size-changes", "128×64 after 64×64"),
  ])
  func refusesWhatChangesInside(name: String, why: String) throws {
    let error = try #require(throws: BenbenError.self) {
      try ClipReader.read("\(Fixtures.path)/media/\(name).mp4")
    }
    #expect(error.why == why && error.kind == .malformed, "\(error)")
  }

  /// What a camera says of a picture's orientation, in both orders of bytes; whatever is cut or changed, nothing traps.
  @Test(arguments: [true, false]) func readsTheOrientation(isLittle: Bool) throws {
    func number(_ value: Int, _ count: Int) -> [UInt8] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      return isLittle ? bytes : bytes.reversed()
    }
    func tiff(_ orientation: Int) -> [UInt8] {
      let entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + [0, 0]
      return Array((isLittle ? "II" : "MM").utf8) + number(42, 2) + number(8, 4) + number(1, 2) + entry
    }
    func picture(_ orientation: Int) -> [UInt8] {
      let content = Array("Exif\0\0".utf8) + tiff(orientation)
      return [0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xFF, 0xFF, 0xE1, 0, UInt8(content.count + 2)]
        + content
        + [0xFF, 0xDA]
    }
    let folder = try TestFolder()
    func remark(_ bytes: [UInt8]) throws -> String? {
      ClipReader.remarks(on: try folder.write(bytes, "x.jpg")).first
    }
    #expect(try remark(picture(6))?.contains("orientation 6") == true)
    #expect(try remark(picture(1)) == nil && remark(picture(9)) == nil)
    #expect(try remark(tiff(3))?.contains("orientation 3") == true)
    #expect(try remark(tiff(1)) == nil)
    // An AVIF that is to be turned by a quarter to the right, in a box among others.
    let turned = Array("\0\0\0\u{1C}ftypavif\0\0\0\0meta....\0\0\0\u{9}irot".utf8) + [3]
    #expect(try remark(turned)?.contains("orientation 6") == true)
    for (turns, axis, orientation) in [(1, 0, 5), (3, 0, 7), (0, 1, 2), (2, 0, 2), (0, 0, 4)] {
      let mirrored =
        Array("\0\0\0\u{1C}ftypavif\0\0\0\0meta....\0\0\0\u{9}irot".utf8) + [UInt8(turns)]
        + Array("\0\0\0\u{9}imir".utf8) + [UInt8(axis)]
      #expect(try remark(mirrored)?.contains("orientation \(orientation))") == true)
    }
    for sound in [picture(8), tiff(8)] {
      for index in sound.indices {
        _ = try remark(Array(sound[..<index]))
        var changed = sound
        changed[index] = 0xFF
        _ = try remark(changed)
      }
    }
  }
}
