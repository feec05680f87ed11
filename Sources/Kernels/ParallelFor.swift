import Dispatch

/// Runs independent iterations of one of our own loops on all cores and waits for them.
///
/// Never used around oneDNN.
///
/// The body is not checked for sendability: iterations write to disjoint memory and share only what nobody writes.
/// This is the one place where that is assumed.
func parallelFor(_ count: Int, _ body: (Int) -> Void) {
  if count == 1 { return body(0) }
  withoutActuallyEscaping(body) { escaping in
    nonisolated(unsafe) let shared = escaping
    DispatchQueue.concurrentPerform(iterations: count) { shared($0) }
  }
}
