/// A clip of 8-bit RGB frames, as it is generated, read, written and compared.
public struct Clip: Equatable, Sendable {
  /// The size of a frame in pixels.
  public let width: Int, height: Int
  /// The bytes of all frames, [frames, height, width, 3], without gaps.
  public private(set) var bytes: [UInt8]

  /// Creates a clip from the bytes of its frames; nil unless they are a whole number of frames of positive size.
  public init?(width: Int, height: Int, bytes: [UInt8]) {
    guard width > 0, height > 0 else { return nil }
    let (pixels, overflows) = width.multipliedReportingOverflow(by: height)
    guard !overflows, pixels <= Int.max / 3, bytes.count.isMultiple(of: pixels * 3) else { return nil }
    self.init(width: width, height: height, whole: bytes)
  }

  /// Creates a black clip.
  ///
  /// - Parameters:
  ///   - width: pixels, more than 0.
  ///   - height: pixels, more than 0.
  public init(black frames: Int, width: Int, height: Int) {
    precondition(width > 0 && height > 0)
    self.init(width: width, height: height, whole: Array(repeating: 0, count: frames * width * height * 3))
  }

  /// Creates a clip of one frame, [height, width, 3].
  package init(frame bytes: [UInt8], width: Int, height: Int) {
    precondition(width > 0 && height > 0 && bytes.count == width * height * 3)
    self.init(width: width, height: height, whole: bytes)
  }

  private init(width: Int, height: Int, whole bytes: [UInt8]) {
    self.width = width
    self.height = height
    self.bytes = bytes
  }

  /// The number of frames.
  public var count: Int { bytes.count / frameSize }

  /// The size of one frame in bytes.
  public var frameSize: Int { width * height * 3 }

  /// One frame, [height, width, 3].
  public subscript(frame index: Int) -> ArraySlice<UInt8> {
    bytes[index * frameSize..<(index + 1) * frameSize]
  }

  /// Returns the first `count` frames.
  public func prefix(_ count: Int) -> Clip {
    Clip(width: width, height: height, whole: Array(bytes.prefix(count * frameSize)))
  }

  /// Returns a clip of the same size with other bytes, of the same number.
  package func with(_ bytes: [UInt8]) -> Clip {
    precondition(bytes.count == self.bytes.count)
    return Clip(width: width, height: height, whole: bytes)
  }

  /// Lends the bytes for changes in place.
  package mutating func withMutableBytes(_ body: (UnsafeMutableBufferPointer<UInt8>) -> Void) {
    bytes.withUnsafeMutableBufferPointer { body($0) }
  }
}
