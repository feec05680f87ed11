import Files
import Foundation
import TestSupport
import Testing

struct MappedFileTests {
  /// A hint about any range is taken, and the content is what it was.
  @Test func isReadAhead() throws {
    let folder = try TestFolder()
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let file = try MappedFile(path: try folder.write(bytes, "file"))
    for range in [0..<bytes.count, 5..<6, 2_999_999..<3_000_000, 0..<0, 10..<3_000_001] {
      file.readAhead(range)
    }
    #expect(file.withBytes(0..<bytes.count) { Array($0) } == bytes)
    try MappedFile(path: try folder.write([], "empty")).readAhead(0..<0)
  }
}
