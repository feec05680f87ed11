#if canImport(Glibc)
  import Glibc
#endif

/// Undefined memory for elements of one type, aligned to 64 bytes; it grows on demand and never shrinks.
///
/// Not thread-safe: threads that work in parallel have a buffer each, or write to disjoint parts of a buffer lent to
/// all of them.
package final class ScratchBuffer<Element: BitwiseCopyable> {
  private var memory: UnsafeMutableRawBufferPointer
  /// The start of the heap block that contains `memory`; nil for memory that is mapped separately.
  private var block: UnsafeMutableRawPointer?
  private var isLent = false

  private static var alignment: Int { 64 }

  /// Creates a buffer of `count` undefined elements.
  ///
  /// - Parameter isLasting: whether it outlives many others. Such memory is mapped separately: in the heap it would
  ///   leave holes too small for other blocks.
  package init(count: Int = 0, isLasting: Bool = false) {
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

  /// Allocates memory and aligns it by hand: glibc's aligned allocation looks for more than it takes, and so passes
  /// over the very hole that a block of the same size left.
  private static func allocate(_ count: Int) -> (UnsafeMutableRawBufferPointer, UnsafeMutableRawPointer) {
    let size = max(count, 1) * MemoryLayout<Element>.stride
    let block = UnsafeMutableRawPointer.allocate(byteCount: size + alignment, alignment: 16)
    return (
      UnsafeMutableRawBufferPointer(start: block.alignedUp(toMultipleOf: alignment), count: size), block
    )
  }

  private static func map(_ count: Int) -> UnsafeMutableRawBufferPointer? {
    let size = max(count, 1) * MemoryLayout<Element>.stride
    guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      address != MAP_FAILED
    else { return nil }
    return UnsafeMutableRawBufferPointer(start: address, count: size)
  }

  private var elements: UnsafeMutableBufferPointer<Element> { memory.bindMemory(to: Element.self) }

  /// The first element, for kernels whose threads share the buffer; valid until the buffer grows or is destroyed.
  package var base: UnsafeMutablePointer<Element> {
    guard let base = elements.baseAddress else { preconditionFailure("allocated memory has an address") }
    return base
  }

  /// Makes room for `count` undefined elements.
  package func reserve(count: Int) {
    precondition(!isLent, "a lent scratch buffer grows")
    if elements.count < count {
      release()
      (memory, block) = Self.allocate(count)
    }
  }

  /// Lends `count` undefined elements; a buffer must not be lent twice at the same time.
  package func with<Result>(
    count: Int, _ body: (UnsafeMutableBufferPointer<Element>) throws -> Result
  ) rethrows -> Result {
    precondition(!isLent, "a scratch buffer is lent twice")
    reserve(count: count)
    isLent = true
    defer { isLent = false }
    return try body(UnsafeMutableBufferPointer(rebasing: elements[..<count]))
  }
}
