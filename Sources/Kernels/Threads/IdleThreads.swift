import Files
import Foundation

/// How OpenMP's threads wait for work, a choice for the whole process that only its environment can make, before it
/// starts.
///
/// By default they spin for milliseconds. Where another program needs the processors, spinning threads keep the
/// one that has work from running, and a small model becomes many times slower. Threads that sleep at once are woken for
/// every product, which takes as long as a small one.
package enum IdleThreads {
  /// The variables that OpenMP reads, and how it is to wait; whoever sets one has chosen.
  ///
  /// GNU's counts turns of a loop, some five microseconds of them, and sleeps at once where it knows of more threads than
  /// processors.
  private static let choices = ["OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "400"]

  /// Starts the program again with threads that soon sleep, unless the user has chosen otherwise.
  ///
  /// Returns if that is not possible; then they spin.
  package static func sleepSoon() {
    guard choices.keys.allSatisfy({ getenv($0) == nil }) else { return }
    for (name, value) in choices { setenv(name, value, 1) }
    execv(FileSystem.realPath("/proc/self/exe"), CommandLine.unsafeArgv)
    for name in choices.keys { unsetenv(name) }
  }
}
