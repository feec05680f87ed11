import CDNNL
import Dispatch
import Files
import Foundation
import Synchronization

/// An executor that runs its jobs one after the other on one OS thread, for an actor that owns a ``KernelContext``.
///
/// oneDNN's primitives must be executed by the thread that created them, and every thread that uses OpenMP has its own
/// thread count and team. Actors on the shared pool hop between threads; an actor on this executor does not, and its
/// settings do not reach other threads of the process.
package final class KernelThread: SerialExecutor {
  /// The number of threads that operations use.
  package let threads: Int
  private let jobs = JobQueue()
  /// The thread's stack size in bytes: deep recursion in models and oneDNN's code generator need more than the default
  /// of secondary threads.
  private static let stackSize = 16 << 20

  /// Starts the thread.
  ///
  /// - Parameter threads: the number of threads that operations use; nil for ``ProcessorCount/preferred``.
  /// - Throws: ``BenbenError`` when the system starts no further thread.
  package init(threads: Int? = nil) throws {
    // Foundation does not say that a thread was not started.
    try ThreadSupply.require(1)
    let count = threads ?? ProcessorCount.preferred
    self.threads = count
    let thread = Thread { [jobs] in
      omp_set_num_threads(Int32(clamping: count))
      jobs.run()
    }
    thread.name = "benben kernels"
    thread.stackSize = Self.stackSize
    thread.start()
  }

  deinit { jobs.stop() }

  /// Appends a job.
  package func enqueue(_ job: consuming ExecutorJob) {
    jobs.append(UnownedJob(job), on: asUnownedSerialExecutor())
  }

  /// Returns the single value kept by the current thread, created on first use.
  ///
  /// This thread also destroys it when the executor goes away: an actor's stored properties would be destroyed by
  /// whichever thread releases the actor last, which oneDNN's primitives do not allow.
  package static func resident<Value>(_ make: () throws -> Value) rethrows -> Value {
    let storage = Thread.current.threadDictionary
    if let resident = storage[residentKey] as? Resident<Value> { return resident.value }
    let value = try make()
    storage[residentKey] = Resident(value)
    return value
  }

  fileprivate static let residentKey = "benben.resident"
}

private final class Resident<Value> {
  let value: Value

  init(_ value: Value) { self.value = value }
}

/// A queue of jobs in order of arrival, consumed by one thread.
private final class JobQueue: Sendable {
  private typealias Entry = (job: UnownedJob, executor: UnownedSerialExecutor)

  private struct State: Sendable {
    var entries: [Entry] = []
    var isStopped = false
  }

  private let state = Mutex(State())
  private let available = DispatchSemaphore(value: 0)

  func append(_ job: UnownedJob, on executor: UnownedSerialExecutor) {
    state.withLock { $0.entries.append((job, executor)) }
    available.signal()
  }

  /// Ends ``run()`` once the waiting jobs are done.
  func stop() {
    state.withLock { $0.isStopped = true }
    available.signal()
  }

  func run() {
    while true {
      available.wait()
      let next = state.withLock { $0.entries.isEmpty ? nil : $0.entries.removeFirst() }
      guard let next else {
        if state.withLock({ $0.isStopped }) {
          Thread.current.threadDictionary.removeObject(forKey: KernelThread.residentKey)
          return
        }
        continue
      }
      next.job.runSynchronously(on: next.executor)
    }
  }
}
