import CFFmpeg

/// Owns an FFmpeg frame.
final class FrameBuffer {
  let pointer: UnsafeMutablePointer<AVFrame>

  init(_ path: String) throws {
    pointer = try allocated(av_frame_alloc(), "allocate a frame", path)
  }

  deinit {
    var frame: UnsafeMutablePointer<AVFrame>? = pointer
    av_frame_free(&frame)
  }

  /// A frame with memory of its own.
  convenience init(width: Int, height: Int, format: AVPixelFormat, _ path: String) throws {
    try self.init(path)
    pointer.pointee.width = Int32(width)
    pointer.pointee.height = Int32(height)
    pointer.pointee.format = format.rawValue
    try ffmpeg(av_frame_get_buffer(pointer, 0), .inputOutput, "cannot allocate a frame", path)
  }

  /// Copies packed RGB rows in; the frame is of format RGB24 and of that size.
  func fill(_ rgb: ArraySlice<UInt8>) {
    let (width, height) = (Int(pointer.pointee.width), Int(pointer.pointee.height))
    let stride = Int(pointer.pointee.linesize.0)
    precondition(rgb.count == width * height * 3)
    guard let base = pointer.pointee.data.0 else { return }
    rgb.withUnsafeBytes { source in
      for row in 0..<height {
        UnsafeMutableRawPointer(base + row * stride).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: source[row * width * 3..<(row + 1) * width * 3]).baseAddress
            ?? .init(base),
          byteCount: width * 3)
      }
    }
  }
}

/// Converts pixels between formats, with the colour matrix that each side names.
final class PixelConverter {
  private let context: OpaquePointer

  /// A converter between frames of one size.
  ///
  /// Video that names no matrix is taken as BT.601, which is what FFmpeg writes when it is told nothing.
  init(
    width: Int, height: Int, from source: AVPixelFormat, to target: AVPixelFormat,
    matrix: AVColorSpace = AVCOL_SPC_SMPTE170M, isFullRange: Bool = false, _ path: String
  ) throws {
    // Read as FFmpeg does when it is told nothing, and with it the readers of OpenCV and imageio; written with care.
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
