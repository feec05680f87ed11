import Dispatch
import Files
import Foundation
import Synchronization
import Tensors

/// A value that is computed while other work goes on.
final class Background<Value: Sendable>: Sendable {
  private let result = Mutex<Result<Value, any Error>?>(nil)
  private let group = DispatchGroup()

  init(_ work: @escaping @Sendable () throws -> Value) {
    DispatchQueue.global().async(group: group) {
      let finished = Result { try work() }
      self.result.withLock { $0 = finished }
    }
  }

  /// The value, once it is there.
  func value() throws -> Value {
    group.wait()
    guard let result = result.withLock({ $0 }) else {
      throw BenbenError(
        .internalDefect, "background work ended", at: "\(Value.self)", because: "it left no result")
    }
    return try result.get()
  }
}
