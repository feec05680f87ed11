import CCrypto

/// SHA-256, computed by OpenSSL's libcrypto.
public struct Digest: ~Copyable {
  private let context = EVP_MD_CTX_new()
  /// libcrypto fails only when memory is exhausted; a digest of a failed computation equals no other.
  private var isSound: Bool

  /// A digest of nothing yet.
  public init() {
    isSound = EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Appends bytes.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    isSound = isSound && EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
  }

  /// The 32 bytes of the digest of everything appended; empty when libcrypto failed.
  public consuming func finalizeBytes() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var count: UInt32 = 0
    guard isSound, EVP_DigestFinal_ex(context, &bytes, &count) == 1 else { return [] }
    return Array(bytes.prefix(Int(count)))
  }

  /// The digest of everything appended, in lower-case hexadecimal.
  public consuming func finalize() -> String { finalizeBytes().hexadecimal }

  /// The digest of lent bytes, in lower-case hexadecimal.
  public static func sha256(_ bytes: UnsafeRawBufferPointer) -> String {
    var digest = Digest()
    digest.update(bytes)
    return digest.finalize()
  }

  /// The digest of some bytes, in lower-case hexadecimal.
  public static func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { sha256($0) } }

  /// The 32 bytes of the digest of some bytes.
  public static func sha256Bytes(_ bytes: [UInt8]) -> [UInt8] {
    var digest = Digest()
    bytes.withUnsafeBytes { digest.update($0) }
    return digest.finalizeBytes()
  }
}
