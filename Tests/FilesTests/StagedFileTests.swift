import Foundation
import TestSupport
import Testing

@testable import Files

struct StagedFileTests {
  @Test func appearsWholeOrNotAtAll() throws {
    let folder = try TestFolder()
    let path = folder.path + "/file"
    do {
      let staged = try StagedFile(destination: path, mayReplace: false)
      try [1, 2].withUnsafeBytes { try staged.file.write($0, at: 0) }
      #expect(folder.entries == [".file.partial"])
    }
    #expect(folder.entries.isEmpty)
    let staged = try StagedFile(destination: path, mayReplace: false)
    try [UInt8](repeating: 7, count: 3).withUnsafeBytes { try staged.file.write($0, at: 0) }
    try staged.commit()
    #expect(folder.entries == ["file"])
    #expect(try InputFile.contents(of: path, limit: 10) == [7, 7, 7])
  }

  @Test func replacesOnlyWhenAsked() throws {
    let folder = try TestFolder()
    let path = try folder.write([1], "file")
    #expect { try StagedFile(destination: path, mayReplace: false) } throws: {
      ($0 as? BenbenError)?.code == .outputExists
    }
    try StagedFile.write([2], to: path)
    #expect(try InputFile.contents(of: path, limit: 10) == [2])
  }

  /// A second writer is told; one that may wait waits.
  @Test func aSecondWriterIsTold() async throws {
    let folder = try TestFolder()
    let path = folder.path + "/file"
    var first: StagedFile? = try StagedFile(destination: path, mayReplace: false)
    #expect { try StagedFile(destination: path, mayReplace: true) } throws: {
      ($0 as? BenbenError)?.code == .outputIsBusy
    }
    let waiting = Task.detached { try StagedFile.write([3], to: path) }
    try await Task.sleep(for: .milliseconds(50))
    try first?.commit()
    first = nil
    try await waiting.value
    #expect(try InputFile.contents(of: path, limit: 10) == [3])
    #expect(folder.entries == ["file"])
  }

  @Test func whatAKilledProcessLeftIsReplaced() throws {
    let folder = try TestFolder()
    _ = try folder.write([9, 9], ".file.partial")
    try StagedFile.write([1], to: folder.path + "/file")
    #expect(folder.entries == ["file"])
  }

  @Test func aLinkIsFollowed() throws {
    let folder = try TestFolder()
    let target = try folder.write([1], "target")
    let link = folder.path + "/link"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
    try StagedFile.write([2], to: link)
    #expect(try InputFile.contents(of: target, limit: 10) == [2])
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == target)
  }

  @Test func aDeviceIsWrittenTo() throws {
    try StagedFile.write([1], to: "/dev/null")
    #expect(throws: BenbenError.self) { try StagedFile(destination: "/dev/null", mayReplace: true) }
    #expect(throws: BenbenError.self) { try StagedFile.write([1], to: "/dev/full") }
  }

  /// A folder of files that lies among the devices is one.
  @Test(.enabled(if: FileSystem.isFolder("/dev/shm"))) func aFileAmongTheDevicesIsReplaced() throws {
    let path = "/dev/shm/benben-tests-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    for text in ["first", "second"] { try StagedFile.write(Array(text.utf8), to: path) }
    #expect(FileManager.default.contents(atPath: path) == Data("second".utf8))
    #expect(StagedFile.isWrittenDirectly("/dev/null") && !StagedFile.isWrittenDirectly(path))
  }

  @Test func looksBeforeLongWork() throws {
    let folder = try TestFolder()
    try StagedFile.requireWritable(folder.path + "/new")
    #expect(throws: BenbenError.self) { try StagedFile.requireWritable(folder.path) }
    #expect(throws: BenbenError.self) { try StagedFile.requireWritable(folder.path + "/no/such/folder") }
    // Of the 255 bytes that a name may have, nine are needed while it is written.
    let longest = folder.path + "/" + String(repeating: "a", count: 246)
    try StagedFile.requireWritable(longest)
    try StagedFile.write([1], to: longest)
    let error = #expect(throws: BenbenError.self) { try StagedFile.requireWritable(longest + "b") }
    #expect(error?.why == "its name has 247 bytes, of which 246 are possible")
  }

  /// A file that another process put where the temporary one was is neither published nor removed.
  @Test func whatTookItsPlaceIsLeftAlone() throws {
    let folder = try TestFolder()
    do {
      let staged = try StagedFile(destination: folder.path + "/file", mayReplace: true)
      try FileManager.default.removeItem(atPath: folder.path + "/.file.partial")
      _ = try folder.write([5], ".file.partial")
      #expect(throws: BenbenError.self) { try staged.commit() }
    }
    #expect(folder.entries == [".file.partial"])
    #expect(try InputFile.contents(of: folder.path + "/.file.partial", limit: 10) == [5])
  }

  @Test func aLinkInItsPlaceIsNotFollowed() throws {
    let folder = try TestFolder()
    let precious = try folder.write([1, 2], "precious")
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/.file.partial", withDestinationPath: precious)
    #expect(throws: BenbenError.self) { try StagedFile.write([3], to: folder.path + "/file") }
    #expect(try InputFile.contents(of: precious, limit: 10) == [1, 2])
  }

  @Test func whatAppearsMeanwhileIsKept() throws {
    let folder = try TestFolder()
    let path = folder.path + "/file"
    let staged = try StagedFile(destination: path, mayReplace: false)
    _ = try folder.write([5], "file")
    #expect { try staged.commit() } throws: { ($0 as? BenbenError)?.code == .outputExists }
    #expect(try InputFile.contents(of: path, limit: 10) == [5])
  }
}
