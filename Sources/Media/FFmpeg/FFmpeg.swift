import CFFmpeg
import Files

/// What FFmpeg writes to standard error by itself.
public enum FFmpegLog {
  /// Silences FFmpeg for the whole process; a program that reports errors itself calls this once.
  public static func silence() { av_log_set_level(AV_LOG_QUIET) }
}

/// The one funnel from FFmpeg's status to an error; returns any other status.
@discardableResult
func ffmpeg(_ status: Int32, _ kind: BenbenError.Kind, _ what: String, _ path: String) throws -> Int32 {
  if status >= 0 { return status }
  var text = [CChar](repeating: 0, count: 128)
  av_strerror(status, &text, text.count)
  let why = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  throw BenbenError(kind, what, at: path, because: why)
}

/// The pointer that FFmpeg allocated, or an error.
func allocated<Pointer>(_ pointer: Pointer?, _ what: String, _ path: String) throws -> Pointer {
  guard let pointer else {
    throw BenbenError(.inputOutput, "cannot \(what)", at: path, because: "FFmpeg has none or is out of memory")
  }
  return pointer
}
