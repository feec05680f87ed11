import CHDF5
import Foundation

/// The process's single HDF5 library, which may not be thread-safe and has process-wide settings.
enum HDF5Library {
  private static let lock = NSRecursiveLock()

  /// Calls HDF5 while no other thread of ours does, without printing errors or loading plugins; the settings of the app
  /// are restored afterwards.
  static func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
    try lock.withLock {
      let settings = bb_h5_settings_get()
      bb_h5_settings_set(bb_h5_settings())
      defer { bb_h5_settings_set(settings) }
      return try body()
    }
  }
}
