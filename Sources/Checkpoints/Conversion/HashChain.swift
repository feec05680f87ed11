import Files
import Synchronization

/// A SHA-256 of bytes that are appended in order, from whichever thread.
final class HashChain: Sendable {
  private let digest = Mutex(Digest())

  /// Appends bytes.
  func update(_ bytes: [UInt8]) {
    digest.withLock { digest in bytes.withUnsafeBytes { digest.update($0) } }
  }

  /// Returns the hash of everything appended, in lower-case hexadecimal, and starts anew.
  func finalize() -> String {
    digest.withLock { digest in
      var whole = Digest()
      swap(&whole, &digest)
      return whole.finalize()
    }
  }
}
