import Files
import Foundation

/// How OpenMP's threads wait for work, a choice for the whole process that only its environment can make, before it
/// starts.
///
/// By default they spin for a while. Where another program needs the processors, spinning threads keep the
/// one that has work from running, and a small model becomes many times slower.
package enum IdleThreads {
  /// The variables that OpenMP reads; whoever sets one has chosen.
  private static let variables = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"]

  /// Starts the program again with threads that sleep, unless the user has chosen otherwise.
  ///
  /// Returns if that is not possible; then they spin.
  package static func sleep() {
    guard variables.allSatisfy({ getenv($0) == nil }) else { return }
    setenv(variables[0], "passive", 1)
    execv(FileSystem.realPath("/proc/self/exe"), CommandLine.unsafeArgv)
    unsetenv(variables[0])
  }
}
