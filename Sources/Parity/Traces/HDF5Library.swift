import CHDF5
import Foundation

/// The process's one HDF5 library, which need not be thread-safe and has settings for the whole process.
enum HDF5Library {
  private static let lock = NSRecursiveLock()

  /// Calls HDF5 while no other thread of ours does: no error is printed and no plugin loaded, and what an app has set is
  /// restored afterwards.
  static func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    try lock.withLock {
      let settings = bb_h5_settings_get()
      bb_h5_settings_set(bb_h5_settings())
      defer { bb_h5_settings_set(settings) }
      return try body()
    }
  }
}
