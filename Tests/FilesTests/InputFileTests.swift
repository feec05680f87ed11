import Foundation
import TestSupport
import Testing

@testable import Files

struct InputFileTests {
  /// D3 of the review: where a file lies is asked of what was opened, and not of the path.
  @Test func knowsWhereTheOpenFileLies() throws {
    let folder = try TestFolder()
    let outside = try folder.write([1], "outside/secret")
    let inside = try folder.write([2], "inside/file")
    let link = folder.path + "/inside/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: outside)
    let file = try InputFile(path: link)
    try FileManager.default.removeItem(atPath: link)
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: inside)
    #expect(file.realPath == FileSystem.realPath(outside))
    #expect(try InputFile(path: link).realPath == FileSystem.realPath(inside))
    #expect(try file.bytes(at: 0, count: 1) == [1])
  }

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

  /// Other bytes in the same place, with the size and the date of before.
  @Test func noticesAFileThatIsRewritten() throws {
    let folder = try TestFolder()
    let path = try folder.write([1, 2, 3, 4], "file")
    let date = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate]
    let file = try InputFile(path: path)
    // The clock of a file system may tick only every few milliseconds.
    usleep(20_000)
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.write(contentsOf: [9, 9, 9, 9])
    try handle.close()
    try FileManager.default.setAttributes([.modificationDate: try #require(date)], ofItemAtPath: path)
    #expect(throws: BenbenError.self) { try file.checkUnchanged() }
  }
}
