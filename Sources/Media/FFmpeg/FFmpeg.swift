import CFFmpeg
import Files

/// Throws when an FFmpeg status is an error and returns any other; the only place where a status becomes an error.
@discardableResult
func ffmpeg(_ status: Int32, _ kind: BenbenError.Kind, _ what: String, _ path: String) throws -> Int32 {
  if status >= 0 { return status }
  var text = [CChar](repeating: 0, count: 128)
  av_strerror(status, &text, text.count)
  let why = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  throw BenbenError(
    kind, what, at: path, because: kind == .malformed ? VideoDecoder.meaning(of: why, path) : why,
    remedies: kind == .malformed ? VideoDecoder.remedies(path) : [])
}

/// Returns a pointer that FFmpeg allocated; throws if it is nil.
func allocated<Pointer>(_ pointer: Pointer?, _ what: String, _ path: String) throws -> Pointer {
  guard let pointer else {
    throw BenbenError(
      .inputOutput, "cannot \(what)", at: path, because: "FFmpeg has none or is out of memory")
  }
  return pointer
}
