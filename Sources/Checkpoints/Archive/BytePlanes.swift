import CZstd
import Tensors

/// Byte planes of multi-byte numbers: all first bytes, then all second bytes, and so on.
///
/// The exponents of weights, which are much alike, are then adjacent.
enum BytePlanes {
  /// Splits numbers of `width` bytes into planes; bytes left over after the last whole number are not moved.
  static func split(_ bytes: [UInt8], width: Int) -> [UInt8] {
    rearranged(bytes, width: width) { numbers, planes, count in
      for plane in 0..<width {
        for index in 0..<count { planes[plane * count + index] = numbers[index * width + plane] }
      }
    }
  }

  /// Joins planes into numbers; the inverse of ``split(_:width:)``.
  static func join(_ planes: [UInt8], width: Int) -> [UInt8] {
    rearranged(planes, width: width) { planes, numbers, count in
      for plane in 0..<width {
        for index in 0..<count { numbers[index * width + plane] = planes[plane * count + index] }
      }
    }
  }

  private static func rearranged(
    _ bytes: [UInt8], width: Int,
    _ body: (UnsafeBufferPointer<UInt8>, UnsafeMutableBufferPointer<UInt8>, _ count: Int) -> Void
  ) -> [UInt8] {
    guard width > 1 else { return bytes }
    var result = bytes
    bytes.withUnsafeBufferPointer { source in
      result.withUnsafeMutableBufferPointer { body(source, $0, bytes.count / width) }
    }
    return result
  }
}
