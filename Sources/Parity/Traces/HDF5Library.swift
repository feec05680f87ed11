import CHDF5
import Files
import Foundation

/// The process's single HDF5 library, which may not be thread-safe and has process-wide settings.
enum HDF5Library {
  private static let lock = NSRecursiveLock()

  /// Calls HDF5 while no other thread of ours does, without printing errors or loading plugins; the settings of the app
  /// are restored afterwards.
  ///
  /// - Throws: what the function throws; where the system failed to read the file, that.
  static func locked<Result>(_ body: () throws -> Result) throws -> Result {
    try lock.withLock {
      let systemError = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
      systemError.initialize(to: 0)
      let settings = bb_h5_settings_take(systemError)
      defer {
        bb_h5_settings_restore(settings)
        systemError.deallocate()
      }
      do { return try body() } catch let error as BenbenError {
        guard error.kind == .malformed, systemError.pointee != 0 else { throw error }
        throw BenbenError(
          .inputOutput, "reading failed", at: error.subject,
          because: String(cString: strerror(systemError.pointee)))
      }
    }
  }

  /// Gives an identifier back; what fails then was read before.
  static func close(_ body: () -> Void) {
    lock.withLock(body)
  }
}
