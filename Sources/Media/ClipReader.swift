import CFFmpeg
import Foundation

/// A decoded clip: packed RGB frames of one size.
public struct DecodedClip: Sendable {
  /// Pixels.
  public let width: Int, height: Int
  /// [frames, height, width, 3] without gaps.
  public let frames: [UInt8]
  /// How a file was encoded, by FFmpeg's name (`h264`); nil for JPEG, folders and what was computed.
  public var codec: String?
}

/// Reads videos, single images (PNG, JPEG), and folders of PNGs.
public enum ClipReader {
  /// Larger images and longer clips are refused before memory is taken.
  public static let maximumPixels = 1 << 26
  /// The most bytes that a decoded clip may take.
  public static let maximumBytes = 1 << 32

  /// Reads a clip.
  ///
  /// - Parameter maximumFrames: a clip with more frames is refused as soon as that shows.
  /// - Throws: ``MediaError``, also when a size changes in mid-stream.
  public static func read(_ path: String, maximumFrames: Int = .max) throws -> DecodedClip {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw MediaError(
        kind: .missing, what: "cannot open", path: path, why: "there is no such file or folder")
    }
    guard isFolder.boolValue else { return try decode(path, maximumFrames: maximumFrames) }
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [])
      .filter { $0.lowercased().hasSuffix(".png") }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard let first = names.first else {
      throw MediaError(kind: .malformed, what: "no clip", path: path, why: "the folder holds no PNG")
    }
    guard names.count <= maximumFrames else { throw tooLong(path, maximumFrames) }
    let clip = try decode(path + "/" + first, maximumFrames: 1)
    var frames = clip.frames
    for name in names.dropFirst() {
      let next = try decode(path + "/" + name, maximumFrames: 1)
      guard next.width == clip.width, next.height == clip.height else {
        throw MediaError(
          kind: .malformed, what: "frames differ in size", path: path + "/" + name,
          why: "\(next.width)×\(next.height) after \(clip.width)×\(clip.height)")
      }
      try checkTotal(frames.count + next.frames.count, path)
      frames += next.frames
    }
    return DecodedClip(width: clip.width, height: clip.height, frames: frames)
  }

  private static func tooLong(_ path: String, _ maximumFrames: Int) -> MediaError {
    MediaError(
      kind: .malformed, what: "the clip is too long", path: path,
      why: "it has more than \(maximumFrames) frames")
  }

  private static func checkTotal(_ bytes: Int, _ path: String) throws {
    guard bytes <= maximumBytes else {
      throw MediaError(
        kind: .malformed, what: "the clip is too long", path: path, why: "over \(maximumBytes) bytes")
    }
  }

  private static func decode(_ path: String, maximumFrames: Int) throws -> DecodedClip {
    // A pipe would block and a device never end.
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else {
      throw MediaError(kind: .missing, what: "cannot open", path: path, why: "it is no regular file")
    }
    guard FileManager.default.isReadableFile(atPath: path) else {
      throw MediaError(kind: .missing, what: "cannot open", path: path, why: "permission denied")
    }
    if JPEGPicture.isOne(path) { return try JPEGPicture.read(path) }
    let decoder = try Decoder(path)
    var frames: [UInt8] = []
    var count = 0
    var size: (width: Int, height: Int)?
    try decoder.forEachFrame { frame in
      let (width, height) = (Int(frame.pointer.pointee.width), Int(frame.pointer.pointee.height))
      guard width > 0, height > 0, width <= maximumPixels, height <= maximumPixels / width else {
        throw MediaError(
          kind: .malformed, what: "a frame is too large", path: path, why: "\(width)×\(height)")
      }
      if let size, size != (width, height) {
        throw MediaError(
          kind: .malformed, what: "the size changes in mid-stream", path: path,
          why: "\(width)×\(height) after \(size.width)×\(size.height)")
      }
      size = (width, height)
      count += 1
      guard count <= maximumFrames else { throw tooLong(path, maximumFrames) }
      try checkTotal(frames.count + width * height * 3, path)
      frames += try rgb(frame, width, height, path)
    }
    guard let size else {
      throw MediaError(
        kind: .malformed, what: "no clip", path: path, why: "it holds no frame that can be decoded")
    }
    return DecodedClip(width: size.width, height: size.height, frames: frames, codec: decoder.codecName)
  }

  private static func rgb(_ frame: FrameBuffer, _ width: Int, _ height: Int, _ path: String) throws -> [UInt8]
  {
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

/// Demuxes and decodes the first video stream of a file.
private final class Decoder {
  private let path: String
  private var container: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var stream: Int32 = 0

  init(_ path: String) throws {
    _ = FFmpegLog.isSilent
    self.path = path
    // Files only: a playlist inside must not make the demuxer open anything else.
    var options: OpaquePointer?
    defer { av_dict_free(&options) }
    av_dict_set(&options, "protocol_whitelist", "file", 0)
    av_dict_set(
      &options, "format_whitelist", "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,png_pipe,avi",
      0)
    try ffmpeg(
      avformat_open_input(&container, "file:" + path, Self.imageFormat(path), &options), .malformed,
      "cannot read", path)
    try ffmpeg(avformat_find_stream_info(container, nil), .malformed, "cannot read", path)
    var description: UnsafePointer<AVCodec>?
    stream = try ffmpeg(
      av_find_best_stream(container, AVMEDIA_TYPE_VIDEO, -1, -1, &description, 0), .malformed, "no video in",
      path)
    let codec = try allocated(avcodec_alloc_context3(description), "create the decoder", path)
    self.codec = codec
    guard let parameters = container?.pointee.streams[Int(stream)]?.pointee.codecpar else { return }
    try ffmpeg(avcodec_parameters_to_context(codec, parameters), .malformed, "cannot read", path)
    codec.pointee.max_pixels = Int64(ClipReader.maximumPixels)
    try ffmpeg(avcodec_open2(codec, description, nil), .malformed, "cannot decode", path)
  }

  /// FFmpeg's name of how the stream is encoded.
  var codecName: String? { codec.map { String(cString: avcodec_get_name($0.pointee.codec_id)) } }

  /// The demuxer of a single image, by its first bytes; left to itself FFmpeg takes one that reads other files too.
  private static func imageFormat(_ path: String) -> UnsafePointer<AVInputFormat>? {
    let head = (try? FileHandle(forReadingFrom: URL(fileURLWithPath: path)).read(upToCount: 4)) ?? Data()
    if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return av_find_input_format("png_pipe") }
    return nil
  }

  deinit {
    avcodec_free_context(&codec)
    avformat_close_input(&container)
  }

  func forEachFrame(_ body: (FrameBuffer) throws -> Void) throws {
    var packet = av_packet_alloc()
    defer { av_packet_free(&packet) }
    while true {
      let status = av_read_frame(container, packet)
      if status == benben_averror_eof() { break }
      try ffmpeg(status, .malformed, "reading failed", path)
      defer { av_packet_unref(packet) }
      guard packet?.pointee.stream_index == stream else { continue }
      try ffmpeg(avcodec_send_packet(codec, packet), .malformed, "decoding failed", path)
      try drain(body)
    }
    try ffmpeg(avcodec_send_packet(codec, nil), .malformed, "decoding failed", path)
    try drain(body)
  }

  private func drain(_ body: (FrameBuffer) throws -> Void) throws {
    while true {
      let frame = try FrameBuffer(path)
      let status = avcodec_receive_frame(codec, frame.pointer)
      if status == benben_averror_eagain() || status == benben_averror_eof() { return }
      try ffmpeg(status, .malformed, "decoding failed", path)
      try body(frame)
    }
  }
}
