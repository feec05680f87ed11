import CFFmpeg
import Files

/// FFmpeg's own messages on standard error.
public enum FFmpegLog {
  /// Silences FFmpeg for the whole process; a program that reports errors itself calls it once.
  public static func silence() { av_log_set_level(AV_LOG_QUIET) }
}
