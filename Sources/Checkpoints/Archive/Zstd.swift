import CZstd
import Files
import Tensors

/// One zstd frame in, one out.
enum Zstd {
  /// The level at which weights are packed: higher ones take several times as long for a percent.
  private static let level: Int32 = 3

  /// The one funnel from zstd's results to an error.
  private static func checked(_ result: Int, _ operation: String, _ path: String) throws -> Int {
    guard ZSTD_isError(result) != 0 else { return result }
    let why = ZSTD_getErrorName(result).map { String(cString: $0) } ?? "zstd failed"
    throw malformed("\(operation) failed", path, why, "The file is damaged: copy or download it again.")
  }

  /// A frame that holds these bytes and their number.
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

  /// The bytes of a frame that must hold exactly `count`; no more memory is taken, whatever it says of itself.
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
