import CDNNL
import Synchronization

/// Runs the independent iterations of a loop on the threads of oneDNN's pool and waits for them.
///
/// Within an iteration, oneDNN may run only primitives that were created for one thread. A second pool would compete
/// with this one, whose threads spin for a while after their work.
///
/// The body is not checked for sendability: iterations write to disjoint memory and share only data that no iteration
/// writes. This is the only place where that is assumed.
func parallelFor(_ count: Int, _ body: (Int) -> Void) {
  // Always all threads: for a smaller team, OpenMP would end some, and create them again for the next larger one.
  let workers = KernelContext.threads
  guard count > 1, workers > 1 else {
    for index in 0..<count { body(index) }
    return
  }
  withoutActuallyEscaping(body) { escaping in
    let work = Work(count: count, body: escaping)
    withExtendedLifetime(work) {
      GOMP_parallel(
        { pointer in
          guard let pointer else { return }
          let work = Unmanaged<Work>.fromOpaque(pointer).takeUnretainedValue()
          for index in stride(
            from: Int(omp_get_thread_num()), to: work.count, by: Int(omp_get_num_threads()))
          {
            work.body(index)
          }
        }, Unmanaged.passUnretained(work).toOpaque(), UInt32(workers), 0)
    }
  }
}

/// Runs `body` in parallel over runs of consecutive rows, one run per thread.
func parallelRows(_ count: Int, _ body: (Range<Int>) -> Void) {
  let workers = min(count, KernelContext.threads)
  parallelFor(workers) { worker in body(count * worker / workers..<count * (worker + 1) / workers) }
}

/// Runs fallible work in parallel over items that threads fetch one at a time: a thread that the system delays
/// processes fewer of them.
///
/// - Parameter body: receives the index of a thread and a closure that returns its next item, or nil at the end.
/// - Throws: the first failure, once all threads are done.
func parallelItems(_ count: Int, _ body: (_ thread: Int, _ next: () -> Int?) throws -> Void) throws {
  let failures = FailureList()
  let items = ItemCounter()
  parallelFor(KernelContext.threads) { thread in
    do {
      try body(thread) { items.next(below: count) }
    } catch {
      failures.add(error)
    }
  }
  if let failure = failures.first { throw failure }
}

/// A counter of the items already taken.
private final class ItemCounter: Sendable {
  private let taken = Atomic<Int>(0)

  func next(below count: Int) -> Int? {
    let item = taken.add(1, ordering: .relaxed).oldValue
    return item < count ? item : nil
  }
}

private final class Work {
  let count: Int
  let body: (Int) -> Void

  init(count: Int, body: @escaping (Int) -> Void) {
    self.count = count
    self.body = body
  }
}

/// The errors that threads have thrown.
private final class FailureList: Sendable {
  private let lock = Mutex<[any Error]>([])
  var first: (any Error)? { lock.withLock { $0.first } }

  func add(_ error: any Error) {
    lock.withLock { $0.append(error) }
  }
}
