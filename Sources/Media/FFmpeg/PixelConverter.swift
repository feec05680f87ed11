import CFFmpeg
import Files

/// A converter between pixel formats, with the colour matrix that the video names: BT.709, or
/// BT.601 for every other.
final class PixelConverter {
  private let context: OpaquePointer

  /// Creates a converter between frames of one size.
  ///
  /// Video that names no matrix is read as BT.601, which is what FFmpeg writes by default.
  init(
    width: Int, height: Int, from source: AVPixelFormat, to target: AVPixelFormat,
    matrix: AVColorSpace = AVCOL_SPC_SMPTE170M, isFullRange: Bool = false, _ path: String
  ) throws {
    // Reading uses FFmpeg's defaults, as the readers of OpenCV and imageio do; writing uses its more accurate settings.
    let isFromRGB = source == AV_PIX_FMT_RGB24
    let flags = isFromRGB ? SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT : SWS_BICUBIC
    context = try allocated(
      sws_getContext(
        Int32(width), Int32(height), source, Int32(width), Int32(height), target, flags, nil, nil, nil),
      "convert pixels", path)
    let coefficients = sws_getCoefficients(matrix == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601)
    // RGB is full range; only the YUV side may be limited.
    sws_setColorspaceDetails(
      context, coefficients, isFromRGB ? 1 : (isFullRange ? 1 : 0), coefficients, isFromRGB ? 0 : 1, 0,
      1 << 16,
      1 << 16)
  }

  deinit { sws_freeContext(context) }

  func convert(_ source: FrameBuffer, into target: FrameBuffer, _ path: String) throws {
    try ffmpeg(
      sws_scale_frame(context, target.pointer, source.pointer), .inputOutput, "cannot convert pixels", path)
  }
}
