import Dispatch
import Files
import Foundation
import Synchronization
import Tensors

/// A value that is computed in the background.
final class Background<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let group = DispatchGroup()

  init(_ work: @escaping @Sendable () throws -> Value) {
    DispatchQueue.global().async(group: group) {
      let finished = Result { try work() }
      self.result.withLock { $0 = finished }
    }
  }

  /// Waits for the value and returns it.
  func value() throws -> Value {
    group.wait()
    guard let result = result.withLock({ $0 }) else {
      throw BenbenError(
        .internalDefect, "background work ended", at: "\(Value.self)", because: "it left no result")
    }
    return try result.get()
  }
}
