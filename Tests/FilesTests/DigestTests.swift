import Testing

@testable import Files

struct DigestTests {
  /// The examples of FIPS 180-4.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func isSHA256(text: String, expected: String) {
    #expect(Digest.sha256(Array(text.utf8)) == expected)
    #expect(Digest.sha256Bytes(Array(text.utf8)).hexadecimal == expected)
  }

  @Test func piecesGiveTheDigestOfTheWhole() {
    var digest = Digest()
    for byte in Array("abc".utf8) { withUnsafeBytes(of: byte) { digest.update($0) } }
    #expect(digest.finalize() == Digest.sha256(Array("abc".utf8)))
  }
}
