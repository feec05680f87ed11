import Dispatch
import Foundation
import Synchronization
import Tensors

/// The available processor cores.
enum Concurrency {
  /// The number of processors that may be used.
  static let cores = ProcessInfo.processInfo.activeProcessorCount
}
