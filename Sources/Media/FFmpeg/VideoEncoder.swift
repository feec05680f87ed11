import CFFmpeg
import Files

/// An encoder that puts the packets of its frames into a container in memory.
///
/// FFmpeg is given no name to write to: a clip takes some megabytes, and our own writer puts it in place.
final class VideoEncoder {
  private let path: String
  private var codec: UnsafeMutablePointer<AVCodecContext>?
  private var container: UnsafeMutablePointer<AVFormatContext>?
  private let packet: UnsafeMutablePointer<AVPacket>
  private var stream: UnsafeMutablePointer<AVStream>?

  /// The container, codec and size to encode to.
  struct Settings {
    let container: String, encoder: String
    let width: Int, height: Int, framesPerSecond: Int
    let format: AVPixelFormat
    var codecOptions: [(String, String)] = []
    var containerOptions: [(String, String)] = []
    var comment: String?
  }

  init(path: String, _ settings: Settings) throws {
    self.path = path
    packet = try allocated(av_packet_alloc(), "allocate a packet", path)
    try ffmpeg(
      avformat_alloc_output_context2(&container, nil, settings.container, path), .cannotCreate,
      "cannot create", path)
    let container = try allocated(container, "create the container", path)
    guard let description = avcodec_find_encoder_by_name(settings.encoder) else {
      throw BenbenError(
        .cannotCreate, "cannot encode", at: path,
        because: "this FFmpeg has no encoder \(settings.encoder); Debian's libavcodec has it")
    }
    let codec = try allocated(avcodec_alloc_context3(description), "create the encoder", path)
    self.codec = codec
    codec.pointee.width = Int32(settings.width)
    codec.pointee.height = Int32(settings.height)
    codec.pointee.pix_fmt = settings.format
    codec.pointee.time_base = AVRational(num: 1, den: Int32(settings.framesPerSecond))
    codec.pointee.framerate = AVRational(num: Int32(settings.framesPerSecond), den: 1)
    if settings.format == AV_PIX_FMT_YUV420P {
      codec.pointee.colorspace = AVCOL_SPC_SMPTE170M
      codec.pointee.color_primaries = AVCOL_PRI_SMPTE170M
      codec.pointee.color_trc = AVCOL_TRC_SMPTE170M
      codec.pointee.color_range = AVCOL_RANGE_MPEG
    }
    if container.pointee.oformat.pointee.flags & AVFMT_GLOBALHEADER != 0 {
      codec.pointee.flags |= 1 << 22  // AV_CODEC_FLAG_GLOBAL_HEADER
    }
    for (name, value) in settings.codecOptions {
      try ffmpeg(
        av_opt_set(codec.pointee.priv_data, name, value, 0), .cannotCreate, "cannot set \(name)", path)
    }
    try ffmpeg(avcodec_open2(codec, description, nil), .cannotCreate, "cannot open the encoder", path)
    let stream = try allocated(avformat_new_stream(container, nil), "create a stream", path)
    self.stream = stream
    stream.pointee.time_base = codec.pointee.time_base
    stream.pointee.avg_frame_rate = codec.pointee.framerate
    try ffmpeg(
      avcodec_parameters_from_context(stream.pointee.codecpar, codec), .cannotCreate,
      "cannot set up the stream", path)
    try ffmpeg(avio_open_dyn_buf(&container.pointee.pb), .inputOutput, "cannot allocate the clip", path)
    if let comment = settings.comment { av_dict_set(&container.pointee.metadata, "comment", comment, 0) }
    var options: OpaquePointer?
    defer { av_dict_free(&options) }
    for (name, value) in settings.containerOptions { av_dict_set(&options, name, value, 0) }
    try ffmpeg(avformat_write_header(container, &options), .inputOutput, "writing failed", path)
  }

  deinit {
    var packet: UnsafeMutablePointer<AVPacket>? = packet
    av_packet_free(&packet)
    avcodec_free_context(&codec)
    if let container {
      _ = Self.takeBytes(&container.pointee.pb)
      avformat_free_context(container)
    }
  }

  /// Encodes a frame; nil ends the stream.
  func encode(_ frame: FrameBuffer?) throws {
    guard let codec, let container, let stream else { return }
    try ffmpeg(avcodec_send_frame(codec, frame?.pointer), .inputOutput, "encoding failed", path)
    while true {
      let status = avcodec_receive_packet(codec, packet)
      if status == bb_averror_eagain() || status == bb_averror_eof() { return }
      try ffmpeg(status, .inputOutput, "encoding failed", path)
      packet.pointee.stream_index = stream.pointee.index
      if packet.pointee.duration == 0 { packet.pointee.duration = 1 }
      av_packet_rescale_ts(packet, codec.pointee.time_base, stream.pointee.time_base)
      try ffmpeg(av_interleaved_write_frame(container, packet), .inputOutput, "writing failed", path)
    }
  }

  /// Ends the stream and returns the whole container.
  func finish() throws -> [UInt8] {
    try encode(nil)
    guard let container else { return [] }
    try ffmpeg(av_write_trailer(container), .inputOutput, "writing failed", path)
    return Self.takeBytes(&container.pointee.pb)
  }

  private static func takeBytes(_ context: inout UnsafeMutablePointer<AVIOContext>?) -> [UInt8] {
    guard let open = context else { return [] }
    context = nil
    var bytes: UnsafeMutablePointer<UInt8>?
    let count = avio_close_dyn_buf(open, &bytes)
    defer { av_free(bytes) }
    return Array(UnsafeBufferPointer(start: bytes, count: bytes == nil ? 0 : Int(count)))
  }
}
