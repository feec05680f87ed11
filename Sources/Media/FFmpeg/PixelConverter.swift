import CFFmpeg
import Files

/// A converter between pixel formats, with the colour matrix that the video names: BT.709, or
/// BT.601 for every other.
final class PixelConverter {
  private let scaler: bb_scaler

  /// Creates a converter between frames of one size.
  ///
  /// Video that names no matrix is read as BT.601, which is what FFmpeg writes by default.
  init(
    width: Int, height: Int, from source: AVPixelFormat, to target: AVPixelFormat,
    matrix: AVColorSpace = AVCOL_SPC_SMPTE170M, isFullRange: Bool = false, _ path: String
  ) throws {
    // Reading uses FFmpeg's defaults, as the readers of OpenCV and imageio do; writing uses its more accurate settings.
    let isFromRGB = source == AV_PIX_FMT_RGB24
    scaler = try allocated(
      bb_scaler_create(Int32(width), Int32(height), source, target, isFromRGB ? 1 : 0), "convert pixels", path
    )
    // RGB is full range; only the YUV side may be limited.
    bb_scaler_set_colors(
      scaler, matrix == AVCOL_SPC_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601, isFromRGB || isFullRange ? 1 : 0,
      isFromRGB ? 0 : 1)
  }

  deinit { bb_scaler_free(scaler) }

  func convert(_ source: FrameBuffer, into target: FrameBuffer, _ path: String) throws {
    try ffmpeg(
      bb_scaler_convert(scaler, target.pointer, source.pointer), .inputOutput, "cannot convert pixels", path)
  }
}
