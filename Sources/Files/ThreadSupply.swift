import Dispatch
import Foundation

/// The threads that the system lets this process start.
///
/// OpenMP ends the process where a thread cannot be started, and Foundation and Swift wait for one that never comes; so who
/// needs threads asks first. What other processes start in between is not foreseen.
package enum ThreadSupply {
  /// Throws unless so many threads can be started beside those that run; on Linux only.
  package static func require(_ count: Int) throws {
    #if os(Linux)
      let gate = DispatchSemaphore(value: 0)
      let argument = Unmanaged.passUnretained(gate).toOpaque()
      var started: [pthread_t] = []
      defer {
        for _ in started { gate.signal() }
        withExtendedLifetime(gate) { for thread in started { pthread_join(thread, nil) } }
      }
      while started.count < count {
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, waitAtGate, argument)
        guard code == 0 else {
          throw BenbenError(
            .inputOutput, "threads cannot be started", at: "\(count) threads",
            because: "after \(started.count): \(String(cString: strerror(code)))",
            remedies: [
              "Let this user or container have more processes (ulimit -u, pids.max), or use fewer threads."
            ])
        }
        started.append(thread)
      }
    #endif
  }
}

#if os(Linux)
  /// What a thread does: it waits until all of them were started.
  private func waitAtGate(_ gate: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let gate else { return nil }
    Unmanaged<DispatchSemaphore>.fromOpaque(gate).takeUnretainedValue().wait()
    return nil
  }
#endif
