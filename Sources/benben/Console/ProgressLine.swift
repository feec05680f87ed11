import Files
import Foundation
import Synchronization

/// Shows how far long work is: a line that rewrites itself on a terminal, a plain line now and then elsewhere.
///
/// It is told from the threads that work; ``update(_:done:of:share:rate:)`` is where Ctrl-C ends the work.
final class ProgressLine: Sendable {
  private struct State: Sendable {
    var started: ContinuousClock.Instant
    var shown: ContinuousClock.Instant
    var isOpen = false
    /// What was done before this piece of work began.
    var skipped: (done: Int, share: Double) = (0, 0)
  }

  private let isQuiet: Bool
  private let isTerminal = isatty(2) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"
  private let clock = ContinuousClock()
  private let state: Mutex<State>

  init(isQuiet: Bool) {
    self.isQuiet = isQuiet
    state = Mutex(State(started: clock.now, shown: clock.now))
  }

  /// Starts to measure another piece of work.
  func begin(_ title: String) {
    let now = clock.now
    state.withLock {
      ($0.started, $0.shown) = (now, now)
      $0.skipped = (0, 0)
    }
    if !isQuiet && !isTerminal { Console.note(title) }
  }

  /// Says that so much was done before, and takes no time now.
  func skip(done: Int, share: Double) { state.withLock { $0.skipped = (done, share) } }

  /// Reports that `done` of `total` are done; `rate` says the speed in words.
  ///
  /// - Parameter share: how much of the work that is, where not every one of them takes as long.
  /// - Throws: `CancellationError` after a signal.
  func update(
    _ title: String, done: Int, of total: Int, share: Double? = nil,
    rate: (Double) -> String = ProgressLine.pace
  ) throws {
    try Interruption.check()
    if isQuiet { return }
    let now = clock.now
    let isLast = done >= total
    let line: String? = state.withLock { state in
      guard isLast || now - state.shown >= (isTerminal ? .milliseconds(200) : .seconds(10)) else {
        return nil
      }
      state.shown = now
      let seconds = Double((now - state.started) / .milliseconds(1)) / 1000
      let share = share ?? Double(done) / Double(max(total, 1))
      let left = share > state.skipped.share ? seconds / (share - state.skipped.share) * (1 - share) : 0
      var line = "\(title) \(Int(100 * share)) %"
      if seconds > 0, done > state.skipped.done {
        line += ", " + rate(Double(done - state.skipped.done) / seconds)
      }
      line += isLast ? String(format: ", %.1f s", seconds) : ", " + TimeText.text(left) + " left"
      state.isOpen = isTerminal && !isLast
      return line
    }
    guard let line else { return }
    if isTerminal {
      Console.rewrite(line)
      if isLast { Console.note("") }
    } else {
      Console.note(line)
    }
  }

  deinit {
    if state.withLock({ $0.isOpen }) { Console.note("") }
  }

  /// A speed: `2.5/s`, or `3.1 s each`.
  static func pace(_ perSecond: Double) -> String {
    let value = perSecond >= 1 ? perSecond : 1 / perSecond
    let digits = (value * 100).rounded() / 100
    return perSecond >= 1 ? "\(digits)/s" : "\(digits) s each"
  }

  /// A speed in bytes: `1.2 GB/s`.
  static func bytes(_ perSecond: Double) -> String { ByteSize.text(Int(perSecond)) + "/s" }
}
