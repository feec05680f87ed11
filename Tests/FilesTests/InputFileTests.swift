import Foundation
import TestSupport
import Testing

@testable import Files

struct InputFileTests {
  @Test(arguments: ["/dev/null", "/tmp", "/nonexistent/file"])
  func opensRegularFilesOnly(path: String) {
    #expect(throws: BenbenError.self) { try InputFile(path: path) }
    #expect(throws: BenbenError.self) { try MappedFile(path: path) }
  }

  @Test func noticesAFileThatChanges() throws {
    let path = NSTemporaryDirectory() + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data([1, 2, 3, 4]).write(to: URL(fileURLWithPath: path))
    let file = try InputFile(path: path)
    try file.checkUnchanged()
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.truncate(atOffset: 2)
    #expect(throws: BenbenError.self) { try file.checkUnchanged() }
    #expect(throws: BenbenError.self) { try file.bytes(at: 0, count: 4) }
    #expect(throws: BenbenError.self) { try file.bytes(at: 3, count: 4) }
  }
}
