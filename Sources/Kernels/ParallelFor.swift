import Dispatch

/// Runs independent iterations of one of our own loops on as many threads as oneDNN uses and waits for them.
///
/// Never used around oneDNN.
///
/// The body is not checked for sendability: iterations write to disjoint memory and share only what nobody writes.
/// This is the one place where that is assumed.
func parallelFor(_ count: Int, _ body: (Int) -> Void) {
  let workers = min(count, KernelContext.threads)
  guard workers > 1 else {
    for index in 0..<count { body(index) }
    return
  }
  withoutActuallyEscaping(body) { escaping in
    nonisolated(unsafe) let shared = escaping
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      for index in stride(from: worker, to: count, by: workers) { shared(index) }
    }
  }
}
