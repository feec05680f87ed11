import Dispatch
import Foundation
import Synchronization
import Tensors

/// Returns the results for all inputs, in their order, computed on all cores.
///
/// - Throws: the error of the first input, in order, that failed; `CancellationError` when the task was cancelled.
func concurrentMap<Input: Sendable, Output: Sendable>(
  _ inputs: [Input], _ transform: @Sendable (Input) throws -> Output
) throws -> [Output] {
  let results = Mutex<[Int: Result<Output, any Error>]>([:])
  let isCancelled = Atomic<Bool>(false)
  DispatchQueue.concurrentPerform(iterations: inputs.count) { index in
    // Only the calling thread, which takes part, belongs to the task.
    if Task.isCancelled { isCancelled.store(true, ordering: .relaxed) }
    if isCancelled.load(ordering: .relaxed) { return }
    let result = Result { try transform(inputs[index]) }
    results.withLock { $0[index] = result }
  }
  if isCancelled.load(ordering: .relaxed) { throw CancellationError() }
  let finished = results.withLock { $0 }
  return try inputs.indices.compactMap { try finished[$0]?.get() }
}
