import Foundation
import Synchronization

/// Ctrl-C: the first asks the work to stop at its next check, the second ends the process at once.
enum Interruption {
  private static let requested = Atomic<Bool>(false)

  static func install() {
    // A file size limit becomes an error that is reported and cleaned up after.
    signal(SIGXFSZ, SIG_IGN)
    // Touched before the handler can run: initialising a global inside a signal handler is not safe.
    _ = requested.load(ordering: .relaxed)
    signal(SIGINT) { _ in
      if Interruption.requested.exchange(true, ordering: .relaxed) { _exit(130) }
    }
    // A program that starts others from a thread of a pool hands its blocked signals down.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  static func check() throws {
    if requested.load(ordering: .relaxed) { throw Interrupted() }
  }
}
