import CZstd
import Files
import Tensors

/// Compression and decompression of single zstd frames.
enum Zstd {
  /// The first bytes of a frame.
  static let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]

  /// The compression level for weights; higher levels take several times as long to save one percent.
  private static let level: Int32 = 3

  /// Returns the result of a zstd call, or throws the error that it encodes.
  private static func checked(_ result: Int, _ operation: String, _ path: String) throws -> Int {
    guard ZSTD_isError(result) != 0 else { return result }
    let why = ZSTD_getErrorName(result).map { String(cString: $0) } ?? "zstd failed"
    throw malformed("\(operation) failed", path, why, "The file is damaged: copy or download it again.")
  }

  /// Returns a frame that holds the given bytes and their count.
  static func compress(_ bytes: [UInt8], _ path: String) throws -> [UInt8] {
    let bound = ZSTD_compressBound(bytes.count)
    var failure: (any Error)?
    let frame = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      do {
        count = try checked(
          ZSTD_compress(buffer.baseAddress, bound, bytes, bytes.count, level), "compressing", path)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return frame
  }

  /// Returns the bytes of a frame that must hold exactly `count`; whatever it declares, no more memory is taken.
  static func decompress(_ frame: [UInt8], count: Int, _ path: String) throws -> [UInt8] {
    guard ZSTD_getFrameContentSize(frame, frame.count) == UInt64(count),
      ZSTD_findFrameCompressedSize(frame, frame.count) == frame.count
    else { throw malformed("malformed pack", path, "a frame holds another number of bytes than listed") }
    var failure: (any Error)?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      do {
        written = try checked(
          ZSTD_decompress(buffer.baseAddress, count, frame, frame.count), "unpacking", path)
      } catch { failure = error }
    }
    if let failure { throw failure }
    guard bytes.count == count else {
      throw malformed("malformed pack", path, "a frame holds another number of bytes than listed")
    }
    return bytes
  }
}
