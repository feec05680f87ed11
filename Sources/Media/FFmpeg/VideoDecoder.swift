import CFFmpeg
import Files
import Foundation

/// A demuxer and decoder of the first video stream in a file.
final class VideoDecoder {
  private let path: String
  private var container: UnsafeMutablePointer<AVFormatContext>?
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var stream: Int32 = 0

  init(_ path: String) throws {
    self.path = path
    // Files only: a playlist inside must not make the demuxer open anything else.
    var options: OpaquePointer?
    defer { av_dict_free(&options) }
    av_dict_set(&options, "protocol_whitelist", "file", 0)
    av_dict_set(
      &options, "format_whitelist",
      "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif,png_pipe,webp_pipe,bmp_pipe,tiff_pipe,avi",
      0)
    // Whatever FFmpeg was built with, only these decoders read an unknown file, its sound and subtitles included.
    av_dict_set(&options, "codec_whitelist", Self.decoders.joined(separator: ","), 0)
    av_dict_set(&options, "max_streams", "8", 0)
    guard avformat_open_input(&container, "file:" + path, Self.imageFormat(path), &options) >= 0 else {
      throw BenbenError(
        .malformed, "cannot read", at: path, because: "it is damaged, or of a format that is not read",
        remedies: [
          "Pictures: PNG, JPEG, WebP, BMP, TIFF, GIF, AVIF. Videos: MP4, MOV, MKV, WebM, AVI, GIF."
        ])
    }
    try findStreams()
    var description: UnsafePointer<AVCodec>?
    stream = try ffmpeg(
      av_find_best_stream(container, AVMEDIA_TYPE_VIDEO, -1, -1, &description, 0), .malformed, "no video in",
      path)
    // The list above holds for what looks at the streams, and not for what decodes them here.
    if let name = description.map({ String(cString: $0.pointee.name) }), !Self.decoders.contains(name) {
      throw BenbenError(
        .malformed, "this video is not decoded", at: path, because: "it is coded as \(name.printable)",
        remedies: [
          "H.264, H.265, MPEG-4, VP8, VP9, AV1, FFV1, Motion JPEG and GIF are read: convert it to one."
        ])
    }
    let codec = try allocated(avcodec_alloc_context3(description), "create the decoder", path)
    self.codec = codec
    guard let parameters = container?.pointee.streams[Int(stream)]?.pointee.codecpar else { return }
    try ffmpeg(avcodec_parameters_to_context(codec, parameters), .malformed, "cannot read", path)
    codec.pointee.max_pixels = Int64(ClipReader.maximumPixels)
    try ffmpeg(avcodec_open2(codec, description, nil), .malformed, "cannot decode", path)
  }

  private static let decoders = [
    "h264", "hevc", "mpeg4", "mjpeg", "png", "gif", "webp", "bmp", "tiff", "vp8", "vp9", "av1", "libdav1d",
    "ffv1", "rawvideo",
  ]

  /// Reads what the container does not say from its first frames, none of which may be too large.
  private func findStreams() throws {
    let count = Int(container?.pointee.nb_streams ?? 0)
    var options = [OpaquePointer?](repeating: nil, count: count)
    for index in options.indices {
      av_dict_set_int(&options[index], "max_pixels", Int64(ClipReader.maximumPixels), 0)
      if container?.pointee.streams[index]?.pointee.codecpar.pointee.codec_type != AVMEDIA_TYPE_VIDEO {
        container?.pointee.streams[index]?.pointee.discard = AVDISCARD_ALL
      }
    }
    let status = avformat_find_stream_info(container, &options)
    for index in options.indices { av_dict_free(&options[index]) }
    try ffmpeg(status, .malformed, "cannot read", path)
  }

  /// FFmpeg's name of the stream's codec.
  var codecName: String? { codec.map { String(cString: avcodec_get_name($0.pointee.codec_id)) } }

  /// The comment of the container, or of the first picture.
  func comment() throws -> String? {
    func comment(_ dictionary: OpaquePointer?) -> String? {
      (av_dict_get(dictionary, "comment", nil, 0)?.pointee.value).map { String(cString: $0) }
    }
    if let found = comment(container?.pointee.metadata) { return found }
    var found: String?
    struct Enough: Error {}
    do {
      try forEachFrame { frame in
        found = comment(frame.pointer.pointee.metadata)
        throw Enough()
      }
    } catch is Enough {}
    return found
  }

  /// What FFmpeg's complaint means.
  static func meaning(of complaint: String, _ path: String) -> String {
    imageFormat(path) == nil
      ? "FFmpeg says: \(complaint)"
      : "it is damaged, cut short, or of a kind that is not read (FFmpeg: \(complaint.prefix { $0 != "," }))"
  }

  /// What to do about a picture or video that is not decoded.
  static func remedies(_ path: String) -> [String] {
    guard imageFormat(path) != nil else {
      return ["It may be damaged. If it plays elsewhere, convert it to an MP4 with H.264."]
    }
    let limit = ClipReader.maximumPixels >> 20
    return [
      "Of pictures, still ones with up to \(limit) × 2²⁰ pixels of 8 or 16 bits are read: save it as PNG or JPEG."
    ]
  }

  /// Returns the demuxer for a single image, by the file's first bytes; FFmpeg's own choice would read other files too.
  private static func imageFormat(_ path: String) -> UnsafePointer<AVInputFormat>? {
    let head = head(of: path)
    if head.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return av_find_input_format("png_pipe") }
    if PictureChunks.isWebP(head) { return av_find_input_format("webp_pipe") }
    if head.starts(with: "BM".utf8) { return av_find_input_format("bmp_pipe") }
    return TIFFDirectory.isOne(head) ? av_find_input_format("tiff_pipe") : nil
  }

  private static func head(of path: String) -> Data {
    (try? FileHandle(forReadingFrom: URL(fileURLWithPath: path)).read(upToCount: 12)) ?? Data()
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
      if status == bb_averror_eof() { break }
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
      if status == bb_averror_eagain() || status == bb_averror_eof() { return }
      try ffmpeg(status, .malformed, "decoding failed", path)
      try body(frame)
    }
  }
}
