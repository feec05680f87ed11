import Dispatch
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// A regular file mapped read-only; the memory and time to open it do not grow with its size.
///
/// The mapping lives as long as this object. It is shared: in-place changes to the file show through it, and a file
/// that is truncated while it is mapped can end the process (SIGBUS), as with every memory-mapped reader. Native models
/// are therefore replaced by renaming and never written in place.
package final class MappedFile {
  /// The path as passed to the initialiser, for messages.
  package let path: String
  /// The whole content, valid for the lifetime of this object.
  package let memory: UnsafeRawBufferPointer

  /// The size in bytes.
  package var size: Int { memory.count }

  /// Maps a regular file.
  package convenience init(path: String) throws {
    let (descriptor, identity) = try FileDescriptor.openRegular(path)
    defer { try? descriptor.close() }
    try self.init(descriptor, size: identity.size, path: path)
  }

  /// Maps an open file, which may be closed after that.
  init(_ descriptor: FileDescriptor, size: Int, path: String) throws {
    self.path = path
    if size == 0 {
      memory = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor.rawValue, 0), base != MAP_FAILED else {
      throw BenbenError(.inputOutput, "cannot map", at: path, because: Errno(rawValue: errno).description)
    }
    memory = UnsafeRawBufferPointer(start: base, count: size)
  }

  deinit {
    if let base = memory.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), memory.count) }
  }

  /// Asks the system to bring a range into memory while the caller goes on.
  ///
  /// Left to page faults, it comes in small pieces, each of which is waited for. It is a hint: nothing is promised.
  package func readAhead(_ range: Range<Int>) {
    guard let base = memory.baseAddress, 0..<size ~= range.lowerBound, range.upperBound <= size else {
      return
    }
    // At a multiple of a piece, and so of a page. Linux reads no more than that for one call.
    let piece = 1 << 20
    let start = range.lowerBound / piece * piece
    nonisolated(unsafe) let address = UnsafeMutableRawPointer(mutating: base)
    // The file is kept, as another may be mapped at its place.
    nonisolated(unsafe) let file = self
    DispatchQueue.global(qos: .utility).async {
      withExtendedLifetime(file) {
        for offset in stride(from: start, to: range.upperBound, by: piece) {
          madvise(address + offset, min(piece, range.upperBound - offset), MADV_WILLNEED)
        }
      }
    }
  }

  /// Lends the bytes of a range to a closure; returns nil when the range does not lie inside the file.
  package func withBytes<Result>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result? {
    guard range.lowerBound >= 0, range.upperBound <= size else { return nil }
    return try withExtendedLifetime(self) { try body(UnsafeRawBufferPointer(rebasing: memory[range])) }
  }
}
