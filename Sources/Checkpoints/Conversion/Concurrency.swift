import Dispatch
import Foundation
import Synchronization
import Tensors

/// The available processor cores.
enum Concurrency {
  /// The number of pieces of work that are held in memory at once: one for each processor, up to where the disk is
  /// what limits.
  static let cores = min(ProcessInfo.processInfo.activeProcessorCount, 16)
}
