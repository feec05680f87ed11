import Foundation

/// The three streams that every program may count on.
package enum StandardStreams {
  /// Opens what the caller closed, so that no file or pipe of this program takes its number and is written to by mistake.
  package static func open() {
    for stream in STDIN_FILENO...STDERR_FILENO where fcntl(stream, F_GETFD) == -1 {
      // The lowest number that is free is this one.
      _ = Foundation.open("/dev/null", O_RDWR)
    }
  }
}
