import CFFmpeg
import Files

/// An owned FFmpeg frame.
final class FrameBuffer {
  let pointer: UnsafeMutablePointer<AVFrame>

  init(_ path: String) throws {
    pointer = try allocated(av_frame_alloc(), "allocate a frame", path)
  }

  deinit {
    var frame: UnsafeMutablePointer<AVFrame>? = pointer
    av_frame_free(&frame)
  }

  /// Creates a frame with its own memory.
  convenience init(width: Int, height: Int, format: AVPixelFormat, _ path: String) throws {
    try self.init(path)
    pointer.pointee.width = Int32(width)
    pointer.pointee.height = Int32(height)
    pointer.pointee.format = format.rawValue
    try ffmpeg(av_frame_get_buffer(pointer, 0), .inputOutput, "cannot allocate a frame", path)
  }

  /// Copies packed RGB rows into the frame, which must be RGB24 and of that size.
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
