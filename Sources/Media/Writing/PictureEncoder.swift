import CFFmpeg
import Clips
import Files

/// An encoder of single pictures in memory.
package enum PictureEncoder {
  /// Encodes a frame of a clip as a PNG.
  ///
  /// - Parameter comment: ASCII text that the picture holds as its comment.
  /// - Throws: `BenbenError` when encoding fails.
  package static func png(_ clip: Clip, frame index: Int, comment: String? = nil) throws -> [UInt8] {
    let picture = try png(clip, frame: index)
    // FFmpeg's encoder writes no text: it follows the signature and the header, which are always of one length.
    let headEnd = 8 + 25
    guard let comment, comment.utf8.allSatisfy({ 0x20..<0x7F ~= $0 }), picture.count > headEnd else {
      return picture
    }
    return picture[..<headEnd] + textChunk("Comment", comment) + picture[headEnd...]
  }

  /// A chunk of text (PNG, section 11.3.4.3).
  private static func textChunk(_ keyword: String, _ text: String) -> [UInt8] {
    func bigEndian(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian, Array.init) }
    let body = Array("tEXt".utf8) + Array(keyword.utf8) + [0] + Array(text.utf8)
    let checksum = ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), .max, body, body.count)
    return bigEndian(UInt32(body.count - 4)) + body + bigEndian(checksum)
  }

  private static func png(_ clip: Clip, frame index: Int) throws -> [UInt8] {
    let path = "a PNG in memory"
    guard let description = avcodec_find_encoder(AV_CODEC_ID_PNG) else {
      throw BenbenError(
        .cannotCreate, "cannot encode", at: path,
        because: "this FFmpeg has no encoder png; Debian's libavcodec has it")
    }
    var codec: UnsafeMutablePointer<AVCodecContext>? = try allocated(
      avcodec_alloc_context3(description), "create the encoder", path)
    defer { avcodec_free_context(&codec) }
    codec?.pointee.width = Int32(clip.width)
    codec?.pointee.height = Int32(clip.height)
    codec?.pointee.pix_fmt = AV_PIX_FMT_RGB24
    codec?.pointee.time_base = AVRational(num: 1, den: 1)
    codec?.pointee.sample_aspect_ratio = AVRational(num: 1, den: 1)
    try ffmpeg(avcodec_open2(codec, description, nil), .cannotCreate, "cannot open the encoder", path)
    let frame = try FrameBuffer(width: clip.width, height: clip.height, format: AV_PIX_FMT_RGB24, path)
    frame.fill(clip[frame: index])
    var packet: UnsafeMutablePointer<AVPacket>? = try allocated(
      av_packet_alloc(), "allocate a packet", path)
    defer { av_packet_free(&packet) }
    try ffmpeg(avcodec_send_frame(codec, frame.pointer), .inputOutput, "encoding failed", path)
    try ffmpeg(avcodec_receive_packet(codec, packet), .inputOutput, "encoding failed", path)
    return Array(
      UnsafeMutableBufferPointer(start: packet?.pointee.data, count: Int(packet?.pointee.size ?? 0)))
  }
}
