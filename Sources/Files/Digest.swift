import CCrypto

/// A SHA-256 digest, computed by OpenSSL's libcrypto.
package struct Digest: ~Copyable {
  private let context = EVP_MD_CTX_new()
  /// Whether every libcrypto call so far succeeded.
  ///
  /// libcrypto fails only when memory is exhausted; the digest is then empty and matches no real one.
  private var isSound: Bool

  /// Creates a digest with nothing appended.
  package init() {
    isSound = EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Appends bytes.
  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    isSound = isSound && EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
  }

  /// Returns the 32 bytes of the digest of everything appended; empty when libcrypto failed.
  package consuming func finalizeBytes() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    guard isSound, EVP_DigestFinal_ex(context, &bytes, &count) == 1 else { return [] }
    return Array(bytes.prefix(Int(count)))
  }

  /// Returns the digest of everything appended, in lower-case hexadecimal.
  package consuming func finalize() -> String { finalizeBytes().hexadecimal }

  /// Returns the digest of the bytes in a buffer, in lower-case hexadecimal.
  package static func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
    var digest = Digest()
    digest.update(bytes)
    return digest.finalize()
  }

  /// Returns the digest of an array of bytes, in lower-case hexadecimal.
  package static func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { sha256($0) } }

  /// Returns the 32 bytes of the digest of an array of bytes.
  package static func sha256Bytes(_ bytes: [UInt8]) -> [UInt8] {
    var digest = Digest()
    bytes.withUnsafeBytes { digest.update($0) }
    return digest.finalizeBytes()
  }
}
