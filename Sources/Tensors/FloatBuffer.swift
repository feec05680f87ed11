/// Owns f32 memory aligned to 64 bytes; grows when asked for more and never shrinks.
public final class FloatBuffer {
  private var memory: UnsafeMutableRawBufferPointer

  /// A buffer of `count` undefined elements.
  public init(count: Int = 0) {
    memory = Self.allocate(count)
  }

  deinit { memory.deallocate() }

  private static func allocate(_ count: Int) -> UnsafeMutableRawBufferPointer {
    .allocate(byteCount: max(count, 1) * MemoryLayout<Float>.stride, alignment: 64)
  }

  var elements: UnsafeMutableBufferPointer<Float> { memory.bindMemory(to: Float.self) }

  /// Where the memory starts, for numbers of other types; it stays there until more is asked for.
  public var address: UnsafeMutableRawPointer {
    guard let address = memory.baseAddress else { preconditionFailure("allocated memory has an address") }
    return address
  }

  /// Lends `count` undefined elements.
  public func with<Result>(
    count: Int, _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    if elements.count < count {
      memory.deallocate()
      memory = Self.allocate(count)
    }
    return try withExtendedLifetime(self) {
      try body(UnsafeMutableBufferPointer(rebasing: elements[..<count]))
    }
  }
}
