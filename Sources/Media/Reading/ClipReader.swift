import CFFmpeg
import Clips
import Files
import Foundation
import Isolation

/// A reader of videos, single images (PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF), and folders of PNGs.
public enum ClipReader {
  /// The most pixels that an image may have; larger ones are refused before memory is allocated.
  public static let maximumPixels = 1 << 26
  /// The most bytes that a decoded clip may take.
  public static let maximumBytes = 1 << 32

  /// Returns what of a picture is not used, each as the end of a sentence that begins with it.
  package static func remarks(on path: String) -> [String] {
    let unused = UnusedParts(path)
    return [
      ExifOrientation.recorded(in: path).map {
        "is to be turned, says its camera (Exif orientation \($0)), which is not done: save it turned"
      },
      unused.hasAlpha
        ? "has an alpha channel, which is left out: colours count where it is transparent, too" : nil,
      unused.hasMore ? "holds further pictures, of which none is used: the first is" : nil,
    ].compactMap(\.self)
  }

  /// Reads a clip.
  ///
  /// - Parameters:
  ///   - path: a video, an image, or a folder of PNGs.
  ///   - maximumFrames: the most frames allowed; a longer clip is refused as soon as that is known.
  ///   - size: the width and height that frames must have; others are refused with the first; nil for any.
  /// - Throws: `BenbenError`, also when the frame size changes in mid-stream.
  public static func read(
    _ path: String, maximumFrames: Int = .max, size: (width: Int, height: Int)? = nil
  ) throws -> Clip {
    try readWithCodec(path, maximumFrames: maximumFrames, size: size).clip
  }

  /// Reads a clip together with FFmpeg's name of its codec (`h264`); nil for JPEG and folders.
  ///
  /// Where the program allows it, the libraries decode in a process of its own (`ReaderProcess`).
  package static func readWithCodec(
    _ path: String, maximumFrames: Int = .max, size: (width: Int, height: Int)? = nil
  ) throws -> (clip: Clip, codec: String?) {
    let read = ReaderProcess.isOn ? ClipProcess.read : readHere
    return try read(path, maximumFrames, size)
  }

  /// Reads the comment of a video, an image, or the first PNG of a folder; nil when it has none.
  ///
  /// - Throws: `BenbenError` when there is no such clip, or it cannot be read.
  public static func comment(of path: String) throws -> String? {
    try ReaderProcess.isOn ? ClipProcess.comment(of: path) : commentHere(of: path)
  }

  /// Returns whether a file is a preview that a run left (``ClipWriter/writePreview(_:to:)``), and which says so.
  package static func isPreview(_ path: String) -> Bool {
    FileSystem.exists(path) && (try? comment(of: path)) == ClipWriter.previewComment
  }

  /// Reads a comment in this process.
  static func commentHere(of path: String) throws -> String? {
    let file = try frames(of: path)?.first ?? path
    try requireReadable(file)
    let comment = JPEGPicture.isOne(file) ? nil : try VideoDecoder(file).comment()
    guard comment?.utf8.count ?? 0 <= maximumComment else {
      throw BenbenError(
        .malformed, "the comment of this clip is too long", at: path,
        because: "more than \(maximumComment) bytes are none that say how a clip was made")
    }
    return comment
  }

  /// The longest comment that is read, in bytes.
  private static let maximumComment = 1 << 20

  /// Returns the paths of the PNGs of a folder, at least one; nil for a file.
  private static func frames(of path: String) throws -> [String]? {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw BenbenError(.missing, "cannot open", at: path, because: "there is no such file or folder")
    }
    guard isFolder.boolValue else { return nil }
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
      .filter { $0.lowercased().hasSuffix(".png") }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard !names.isEmpty else {
      throw BenbenError(.malformed, "no clip", at: path, because: "the folder holds no PNG")
    }
    return names.map { path + "/" + $0 }
  }

  /// Reads a clip in this process.
  static func readHere(
    _ path: String, maximumFrames: Int, size: (width: Int, height: Int)?
  ) throws -> (clip: Clip, codec: String?) {
    guard let frames = try frames(of: path) else {
      return try decode(path, maximumFrames: maximumFrames, size: size)
    }
    guard frames.count <= maximumFrames else {
      throw maximumFrames > 1
        ? tooLong(path, maximumFrames)
        : BenbenError(
          .malformed, "this is no single picture", at: path, because: "it is a folder of \(frames.count)",
          remedies: ["Name one of them."])
    }
    let clip = try decode(frames[0], maximumFrames: 1, size: size).clip
    var bytes = clip.bytes
    for frame in frames.dropFirst() {
      let next = try decode(frame, maximumFrames: 1, size: nil).clip
      guard next.width == clip.width, next.height == clip.height else {
        throw BenbenError(
          .malformed, "frames differ in size", at: frame,
          because: "\(next.width)×\(next.height) after \(clip.width)×\(clip.height)")
      }
      try checkTotal(bytes.count + next.bytes.count, path)
      bytes += next.bytes
    }
    return (try whole(bytes, width: clip.width, height: clip.height, path), nil)
  }

  private static func whole(_ bytes: [UInt8], width: Int, height: Int, _ path: String) throws -> Clip {
    guard let clip = Clip(width: width, height: height, bytes: bytes) else {
      throw BenbenError(.malformed, "no clip", at: path, because: "it holds no whole frame")
    }
    return clip
  }

  private static func tooLong(_ path: String, _ maximumFrames: Int) -> BenbenError {
    BenbenError(
      .malformed, maximumFrames == 1 ? "this is no single picture" : "the clip is too long", at: path,
      because: "it has more than \(maximumFrames == 1 ? "one frame" : "\(maximumFrames) frames")")
  }

  private static func checkTotal(_ bytes: Int, _ path: String) throws {
    guard bytes <= maximumBytes else {
      throw BenbenError(.malformed, "the clip is too long", at: path, because: "over \(maximumBytes) bytes")
    }
  }

  /// Throws unless a path is a file that can be read.
  private static func requireReadable(_ path: String) throws {
    // A pipe would block, and a device would never end.
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else {
      throw BenbenError(.missing, "cannot open", at: path, because: "it is no regular file")
    }
    // What says that it is empty may still block, as some files below /proc do.
    guard attributes?[.size] as? Int != 0 else {
      throw BenbenError(.malformed, "no clip", at: path, because: "it is empty")
    }
    guard FileManager.default.isReadableFile(atPath: path) else {
      throw BenbenError(.missing, "cannot open", at: path, because: "permission denied")
    }
  }

  private static func decode(
    _ path: String, maximumFrames: Int, size expected: (width: Int, height: Int)?
  ) throws -> (clip: Clip, codec: String?) {
    try requireReadable(path)
    if JPEGPicture.isOne(path) { return (try JPEGPicture.read(path), nil) }
    try PictureHead.requireDecodable(path)
    let decoder = try VideoDecoder(path)
    var frames: [UInt8] = []
    var count = 0
    var size: (width: Int, height: Int)?
    try decoder.forEachFrame { frame in
      let (width, height) = (Int(frame.pointer.pointee.width), Int(frame.pointer.pointee.height))
      guard width > 0, height > 0, width <= maximumPixels, height <= maximumPixels / width else {
        throw PictureHead.tooLarge(path, width, height)
      }
      if let expected, expected != (width, height) {
        throw BenbenError(
          .malformed, "the clip has another size", at: path,
          because: "\(width)×\(height) in place of \(expected.width)×\(expected.height)")
      }
      if let size, size != (width, height) {
        throw BenbenError(
          .malformed, "the size changes in mid-stream", at: path,
          because: "\(width)×\(height) after \(size.width)×\(size.height)")
      }
      size = (width, height)
      count += 1
      guard count <= maximumFrames else { throw tooLong(path, maximumFrames) }
      try checkTotal(frames.count + width * height * 3, path)
      frames += try rgb(frame, width, height, path)
    }
    guard let size else {
      throw BenbenError(
        .malformed, "no clip", at: path, because: "it holds no frame that can be decoded",
        remedies: VideoDecoder.remedies(path))
    }
    return (try whole(frames, width: size.width, height: size.height, path), decoder.codecName)
  }

  private static func rgb(_ frame: FrameBuffer, _ width: Int, _ height: Int, _ path: String) throws -> [UInt8]
  {
    if let bytes = frame.highBytesAsRGB() { return bytes }
    let format = AVPixelFormat(rawValue: frame.pointer.pointee.format)
    let isFull =
      frame.pointer.pointee.color_range == AVCOL_RANGE_JPEG
      || [AV_PIX_FMT_YUVJ420P, AV_PIX_FMT_YUVJ422P, AV_PIX_FMT_YUVJ444P].contains(format)
    let converter = try PixelConverter(
      width: width, height: height, from: format, to: AV_PIX_FMT_RGB24,
      matrix: frame.pointer.pointee.colorspace,
      isFullRange: isFull, path)
    let target = try FrameBuffer(width: width, height: height, format: AV_PIX_FMT_RGB24, path)
    try converter.convert(frame, into: target, path)
    guard let base = target.pointer.pointee.data.0 else { return [] }
    let stride = Int(target.pointer.pointee.linesize.0)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(width * height * 3)
    for row in 0..<height { bytes += UnsafeBufferPointer(start: base + row * stride, count: width * 3) }
    return bytes
  }
}
