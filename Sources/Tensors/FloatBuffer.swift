#if canImport(Glibc)
  import Glibc
#endif

/// Owns f32 memory aligned to 64 bytes; grows when asked for more and never shrinks.
public final class FloatBuffer {
  private var memory: UnsafeMutableRawBufferPointer
  /// Where the block starts that `memory` lies in; nil for memory that was mapped by itself.
  private var block: UnsafeMutableRawPointer?

  private static let alignment = 64

  /// A buffer of `count` undefined elements.
  ///
  /// - Parameter isLasting: whether it will live while many others come and go. Such memory is taken from the system by
  ///   itself: in the heap it would leave holes that nothing fits in.
  public init(count: Int = 0, isLasting: Bool = false) {
    if isLasting, let mapped = Self.map(count) {
      memory = mapped
    } else {
      (memory, block) = Self.allocate(count)
    }
  }

  deinit { release() }

  private func release() {
    if let block { block.deallocate() } else { munmap(memory.baseAddress, memory.count) }
  }

  /// Aligned by hand: glibc's aligned allocation looks for more than it takes, and so passes over the very hole that a
  /// block of the same size left.
  private static func allocate(_ count: Int) -> (UnsafeMutableRawBufferPointer, UnsafeMutableRawPointer) {
    let size = max(count, 1) * MemoryLayout<Float>.stride
    let block = UnsafeMutableRawPointer.allocate(byteCount: size + alignment, alignment: 16)
    return (
      UnsafeMutableRawBufferPointer(start: block.alignedUp(toMultipleOf: alignment), count: size), block
    )
  }

  private static func map(_ count: Int) -> UnsafeMutableRawBufferPointer? {
    let size = max(count, 1) * MemoryLayout<Float>.stride
    guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      address != MAP_FAILED
    else { return nil }
    return UnsafeMutableRawBufferPointer(start: address, count: size)
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
      release()
      (memory, block) = Self.allocate(count)
    }
    return try withExtendedLifetime(self) {
      try body(UnsafeMutableBufferPointer(rebasing: elements[..<count]))
    }
  }
}
