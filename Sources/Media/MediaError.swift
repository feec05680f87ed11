import CFFmpeg

/// Why frames could not be read or written.
public struct MediaError: Error, CustomStringConvertible {
  /// The kind of failure.
  public enum Kind: Sendable {
    /// The input is not what it must be.
    case malformed
    /// The input is absent or cannot be opened.
    case missing
    /// The output cannot be created.
    case cannotCreate
    /// Reading or writing failed on the way.
    case inputOutput
    /// The request makes no sense.
    case usage
  }

  /// The kind of failure.
  public let kind: Kind
  /// What was being done.
  public let what: String
  /// The file.
  public let path: String
  /// Why it failed.
  public let why: String

  /// One line: what, where, why.
  public var description: String { "\(what): \(path): \(why)" }
}

/// Errors are reported by us; FFmpeg's own lines on standard error would come between.
enum FFmpegLog {
  static let isSilent: Bool = {
    av_log_set_level(AV_LOG_QUIET)
    return true
  }()
}

/// The one funnel from FFmpeg's status to an error; gives back what is no error.
@discardableResult
func ffmpeg(_ status: Int32, _ kind: MediaError.Kind, _ what: String, _ path: String) throws -> Int32 {
  if status >= 0 { return status }
  var text = [CChar](repeating: 0, count: 128)
  av_strerror(status, &text, text.count)
  let why = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  throw MediaError(kind: kind, what: what, path: path, why: why)
}

/// Gives back a pointer that FFmpeg must have allocated.
func allocated<Pointer>(_ pointer: Pointer?, _ what: String, _ path: String) throws -> Pointer {
  guard let pointer else {
    throw MediaError(
      kind: .inputOutput, what: "cannot \(what)", path: path, why: "FFmpeg has none or is out of memory")
  }
  return pointer
}
