import Foundation
import Testing

@testable import Kernels

/// An actor on a kernel thread.
private actor Worker {
  let thread: KernelThread
  private var count = 0

  init() throws { thread = try KernelThread(threads: 3) }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// `pthread_self` will not do: it is declared constant, and so moved across suspensions.
  func identity() -> (thread: ObjectIdentifier, threads: Int, resident: Int) {
    count += 1
    let resident = KernelThread.resident { count }
    return (ObjectIdentifier(Thread.current), KernelContext.threads, resident)
  }
}

struct KernelThreadTests {
  /// All jobs of an executor run on one OS thread, with its own number of threads, and see one resident value.
  @Test func jobsStayOnOneThread() async throws {
    let before = KernelContext.threads
    let (worker, other) = (try Worker(), try Worker())
    var seen: Set<ObjectIdentifier> = []
    for _ in 0..<20 {
      let job = await worker.identity()
      seen.insert(job.thread)
      #expect(job.threads == 3 && job.resident == 1)
      await Task.yield()
    }
    #expect(seen.count == 1)
    let another = await other.identity()
    #expect(another.thread != seen.first, "\(another) \(seen)")
    #expect(await worker.identity().thread == seen.first)
    #expect(KernelContext.threads == before)
  }

  @Test func aScopedContextRestoresTheNumberOfThreads() throws {
    let before = KernelContext.threads
    try KernelContext.scoped(threads: before + 3) { _ in #expect(KernelContext.threads == before + 3) }
    #expect(KernelContext.threads == before)
  }
}
