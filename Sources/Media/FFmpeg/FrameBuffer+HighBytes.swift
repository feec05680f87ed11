import CFFmpeg

extension FrameBuffer {
  /// Returns a picture of 16 bits as packed RGB of its samples' high bytes, as Pillow reads one; nil for other formats.
  ///
  /// FFmpeg rounds instead: a third of the samples is a level higher. Alpha is left out. Of gray ones, Pillow makes white.
  func highBytesAsRGB() -> [UInt8]? {
    let layout: (channels: Int, isGray: Bool, highByte: Int)? =
      switch AVPixelFormat(rawValue: pointer.pointee.format) {
      case AV_PIX_FMT_GRAY16BE: (1, true, 0)
      case AV_PIX_FMT_GRAY16LE: (1, true, 1)
      case AV_PIX_FMT_YA16BE: (2, true, 0)
      case AV_PIX_FMT_YA16LE: (2, true, 1)
      case AV_PIX_FMT_RGB48BE: (3, false, 0)
      case AV_PIX_FMT_RGB48LE: (3, false, 1)
      case AV_PIX_FMT_RGBA64BE: (4, false, 0)
      case AV_PIX_FMT_RGBA64LE: (4, false, 1)
      default: nil
      }
    guard let layout, let base = pointer.pointee.data.0 else { return nil }
    let (width, height) = (Int(pointer.pointee.width), Int(pointer.pointee.height))
    let stride = Int(pointer.pointee.linesize.0)
    return [UInt8](unsafeUninitializedCapacity: width * height * 3) { rgb, count in
      for row in 0..<height {
        for column in 0..<width {
          let pixel = base + row * stride + column * layout.channels * 2 + layout.highByte
          for channel in 0..<3 {
            rgb[count] = pixel[layout.isGray ? 0 : 2 * channel]
            count += 1
          }
        }
      }
    }
  }
}
