import CCrypto

/// An ed25519 key (RFC 8032) from a PEM file, as `openssl genpkey -algorithm ed25519` makes it.
package struct SignatureKey: ~Copyable {
  /// The two halves of a pair.
  package enum Half: Sendable {
    case signing, verifying
  }

  /// The length of a signature in bytes.
  package static let signatureLength = 64
  private static let maximumLength = 1 << 16

  private let key: OpaquePointer
  private let path: String

  /// Reads a key.
  ///
  /// - Throws: ``BenbenError`` when the file holds no such key, or an encrypted one.
  package init(_ half: Half, path: String) throws {
    let pem = try InputFile.contents(of: path, limit: Self.maximumLength)
    guard let key = bb_read_key(pem, Int32(pem.count), half == .signing ? 1 : 0) else {
      let command =
        half == .signing
        ? "openssl genpkey -algorithm ed25519 -out KEY.pem"
        : "openssl pkey -in KEY.pem -pubout -out PUBLIC.pem"
      throw BenbenError(
        .malformed, "not a key", at: path,
        because: half == .signing
          ? "it holds no ed25519 private key in PEM without a password"
          : "it holds no ed25519 public key in PEM",
        remedies: ["Make one: \(command)"])
    }
    self.key = key
    self.path = path
  }

  deinit { EVP_PKEY_free(key) }

  /// Signs bytes.
  package func sign(_ bytes: [UInt8]) throws -> [UInt8] {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var signature = [UInt8](repeating: 0, count: Self.signatureLength)
    var length = signature.count
    guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
      EVP_DigestSign(context, &signature, &length, bytes, bytes.count) == 1,
      length == Self.signatureLength
    else {
      throw BenbenError(
        .internalDefect, "cannot sign", at: path, because: "the crypto library refuses the key")
    }
    return signature
  }

  /// Returns whether a signature of bytes was made with the other half of the key.
  package func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    return signature.count == Self.signatureLength
      && EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
  }
}
