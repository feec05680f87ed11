import Files

/// The signature of a pack, which tells that its publisher made it; the hashes inside tell only that it is whole.
///
/// A skippable frame after the trailer: 64 bytes of ed25519 over the text ``domain`` and the trailer, which has the hash of
/// the index, which has the hashes of all files; and the magic `BENBENSG`.
extension Pack {
  static let signatureMagic = Array("BENBENSG".utf8)
  /// The length of the frame in bytes.
  static let signatureFrameLength = 8 + SignatureKey.signatureLength + signatureMagic.count
  /// What is signed before the trailer, so that the signature of something else is not taken for that of a pack.
  static let domain = Array("\(schema) signature\n".utf8)

  /// Returns the frame that holds the signature of a trailer.
  static func signatureFrame(_ trailer: [UInt8], _ key: borrowing SignatureKey) throws -> [UInt8] {
    skippable(try key.sign(domain + trailer) + signatureMagic)
  }

  /// Returns the signature at the end of a pack, or nil when there is none.
  static func signature(in source: InputFile) throws -> [UInt8]? {
    guard source.size >= signatureFrameLength else { return nil }
    var frame = ByteReader(
      try source.bytes(at: source.size - signatureFrameLength, count: signatureFrameLength))
    guard frame.unsigned(4) == UInt64(skippableMagic), frame.integer(4) == signatureFrameLength - 8,
      let signature = frame.run(SignatureKey.signatureLength),
      frame.run(signatureMagic.count)?.elementsEqual(signatureMagic) == true
    else { return nil }
    return Array(signature)
  }

  /// Throws unless a pack is signed with the other half of a key.
  static func requireSignature(
    _ signature: [UInt8]?, of trailer: [UInt8], by key: borrowing SignatureKey, path: String
  ) throws {
    guard let signature else {
      throw malformed("the pack is not signed", path, "nothing proves where it is from")
    }
    guard key.verifies(signature, of: domain + trailer) else {
      throw malformed(
        "the pack is not from there", path,
        "its signature was not made with this key, or it was changed since",
        "Download it again from its publisher, and use the publisher's public key.")
    }
  }
}
