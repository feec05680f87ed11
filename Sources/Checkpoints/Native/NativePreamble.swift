import Files
import Tensors

/// The first 64 bytes of a `.benben` file.
///
/// All numbers are little-endian:
///
///     0   8  magic "\u{89}BENBEN\n"
///     8   4  format version
///     12  4  byte-order mark 0x01020304
///     16  8  header length
///     24  32 SHA-256 of the header
///     56  8  total length of the file
///
/// Every bit of it is checked on open.
struct NativePreamble {
  static let length = 64
  static let magic: [UInt8] = [0x89] + Array("BENBEN\n".utf8)
  static let version: UInt32 = 1
  static let byteOrderMark: UInt32 = 0x0102_0304
  /// The maximum length of a header in bytes; that of a released T5 takes 0.1 MB.
  static let maximumHeaderLength = 64_000_000

  let headerLength: Int
  let headerHash: [UInt8]
  let totalLength: Int

  var bytes: [UInt8] {
    var result = Self.magic
    func append<Value: FixedWidthInteger>(_ value: Value) {
      withUnsafeBytes(of: value.littleEndian) { result.append(contentsOf: $0) }
    }
    append(Self.version)
    append(Self.byteOrderMark)
    append(UInt64(headerLength))
    result += headerHash
    append(UInt64(totalLength))
    return result
  }

  init(header: [UInt8], totalLength: Int) {
    headerLength = header.count
    headerHash = Digest.sha256Bytes(header)
    self.totalLength = totalLength
  }

  /// Reads and checks a preamble, whose header must lie in the file.
  init(_ bytes: UnsafeRawBufferPointer, path: String, fileSize: Int) throws {
    func fault(_ why: String, _ remedies: String...) -> BenbenError {
      BenbenError(.malformed, "not a sound .benben file", at: path, because: why, remedies: remedies)
    }
    guard bytes.count == Self.length else { throw fault("\(fileSize) bytes are too few") }
    guard bytes.prefix(8).elementsEqual(Self.magic) else { throw fault("the magic at byte 0 is another one") }
    let version = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    let mark = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    guard mark == Self.byteOrderMark else {
      throw fault("the byte-order mark at byte 12 is not little-endian")
    }
    guard version == Self.version else {
      throw fault(
        "format version \(version) at byte 8; this program reads version \(Self.version)",
        "Update benben, or convert the checkpoint again.")
    }
    let headerLength = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
    let totalLength = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 56, as: UInt64.self))
    guard totalLength == UInt64(fileSize) else {
      throw fault("byte 56 says \(totalLength) bytes, the file has \(fileSize)", "Copy or convert it again.")
    }
    guard headerLength <= UInt64(Self.maximumHeaderLength), headerLength <= UInt64(fileSize - Self.length)
    else {
      throw fault("a header of \(headerLength) bytes is declared at byte 16")
    }
    self.headerLength = Int(headerLength)
    self.totalLength = Int(totalLength)
    headerHash = Array(bytes[24..<56])
  }
}
