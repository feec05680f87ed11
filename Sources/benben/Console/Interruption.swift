import Foundation
import Synchronization

/// Signals that ask the program to end: Ctrl-C, those of schedulers and closed terminals, and a reader of its output that
/// has gone away.
///
/// The first asks the work to stop at its next check, so that nothing half-written stays; a second one ends the process
/// at once.
enum Interruption {
  /// The number of the first signal; 0 while there was none.
  private static let received = Atomic<Int32>(0)
  /// Where the handler writes a byte, and what waits for it.
  private static let ends: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { return (-1, -1) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }()

  static func install() {
    // A file size limit becomes an error that is reported and cleaned up after.
    signal(SIGXFSZ, SIG_IGN)
    // Touched before the handler can run: initialising a global inside a signal handler is not safe.
    _ = received.load(ordering: .relaxed)
    _ = ends
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGINT, SIGTERM, SIGHUP] where !isIgnored(number) {
      signal(number) { number in
        if Interruption.take(number) != 0 { _exit(128 + number) }
      }
      sigaddset(&signals, number)
    }
    // Nothing can be thrown from here: the page that was asked for is not there.
    signal(SIGBUS) { _ in
      let text: StaticString =
        "benben: error: a mapped file cannot be read: it became shorter meanwhile, or its disk fails\n"
      _ = write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
      _exit(74)
    }
    // Every later write to a closed pipe raises it again, and fails as well.
    signal(SIGPIPE) { number in _ = Interruption.take(number) }
    // A program that starts others from a thread of a pool hands its blocked signals down.
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  }

  /// Whether whoever started the program wants a signal to be ignored, as `nohup` does; Ctrl-C is never.
  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard number != SIGINT, sigaction(number, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  /// Notes a signal, unless there was one before, which is returned; called by signal handlers.
  private static func take(_ number: Int32) -> Int32 {
    let before = received.compareExchange(expected: 0, desired: number, ordering: .relaxed).original
    var byte: UInt8 = 0
    if before == 0 { _ = write(ends.writing, &byte, 1) }
    return before
  }

  /// Calls a function when the first signal comes, on a thread of its own.
  static func onSignal(_ body: @escaping @Sendable () -> Void) {
    let end = ends.reading
    guard end >= 0 else { return }
    Thread.detachNewThread {
      var waiting = pollfd(fd: end, events: Int16(POLLIN), revents: 0)
      while poll(&waiting, 1, -1) < 0, errno == EINTR {}
      body()
    }
  }

  /// The signal that ended the work; nil while there was none.
  static var number: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  static func check() throws {
    if number != nil { throw CancellationError() }
  }
}
