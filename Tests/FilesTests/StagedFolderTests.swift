import Foundation
import TestSupport
import Testing

@testable import Files

struct StagedFolderTests {
  private func staged(_ path: String, mayReplace: Bool = false, of kind: Bool = false) throws -> StagedFolder
  {
    try StagedFolder(destination: path, mayReplace: mayReplace) { _ in kind }
  }

  @Test func appearsWholeOrNotAtAll() throws {
    let folder = try TestFolder()
    let path = folder.path + "/output"
    do {
      let abandoned = try staged(path)
      try abandoned.write([1], to: "a/b")
      #expect(folder.entries == [".output.partial"])
    }
    #expect(folder.entries.isEmpty)
    let kept = try staged(path + "/")
    try kept.write([1, 2], to: "a/b")
    try kept.commit()
    #expect(folder.entries == ["output"])
    #expect(try InputFile.contents(of: path + "/a/b", limit: 10) == [1, 2])
  }

  @Test func replacesItsOwnKindOnly() throws {
    let folder = try TestFolder()
    let path = folder.path + "/output"
    _ = try folder.write([1], "output/notes.txt")
    #expect { try staged(path) } throws: { ($0 as? BenbenError)?.code == .outputExists }
    #expect { try staged(path, mayReplace: true) } throws: { ($0 as? BenbenError)?.code == .outputIsForeign }
    let replacing = try staged(path, mayReplace: true, of: true)
    try replacing.write([5], to: "new")
    try replacing.commit()
    #expect(folder.entries == ["output"] && FileSystem.entries(of: path) == ["new"])
  }

  @Test func aSecondWriterIsTold() throws {
    let folder = try TestFolder()
    let first = try staged(folder.path + "/output")
    #expect { try staged(folder.path + "/output") } throws: { ($0 as? BenbenError)?.code == .outputIsBusy }
    try first.write([1], to: "a")
    try first.commit()
  }

  @Test func whatAKilledProcessLeftIsEmptied() throws {
    let folder = try TestFolder()
    _ = try folder.write([9], ".output.partial/old")
    let next = try staged(folder.path + "/output")
    try next.write([1], to: "new")
    try next.commit()
    #expect(FileSystem.entries(of: folder.path + "/output") == ["new"])
  }

  /// Where names cannot be swapped, a kill may come between two renames: the old folder is put back, or goes.
  @Test(arguments: [true, false]) func whatWasMovedAsideIsSettled(isInPlace: Bool) throws {
    let folder = try TestFolder()
    _ = try folder.write([1], ".output.partial.old/old")
    if isInPlace { _ = try folder.write([2], "output/new") }
    let error = #expect(throws: BenbenError.self) { try staged(folder.path + "/output", of: true) }
    #expect(error?.code == .outputExists)
    if isInPlace {
      // Looked at first; what is aside goes with the next run that may replace.
      #expect(folder.entries == [".output.partial.old", "output"])
      _ = try staged(folder.path + "/output", mayReplace: true, of: true)
    }
    #expect(folder.entries == ["output"])
    #expect(FileSystem.entries(of: folder.path + "/output") == [isInPlace ? "new" : "old"])
  }

  /// D5 of the review: a temporary name that another user holds is not used.
  @Test(.enabled(if: geteuid() == 0, "only root may give a folder away")) func anothersFolderIsRefused()
    throws
  {
    let folder = try TestFolder()
    let planted = try folder.write([1], ".output.partial/planted")
    chown(folder.path + "/.output.partial", 12345, 12345)
    let error = try #require(throws: BenbenError.self) { try staged(folder.path + "/output") }
    #expect(error.description.contains("another user") && FileSystem.exists(planted), "\(error)")
  }

  /// A folder that cannot be listed is not empty.
  @Test(.enabled(if: geteuid() != 0, "root may list every folder")) func whatCannotBeListedIsKept() throws {
    let folder = try TestFolder()
    let kept = try folder.write([1], "output/kept")
    chmod(folder.path + "/output", 0o311)
    #expect(throws: BenbenError.self) { try staged(folder.path + "/output", mayReplace: true) }
    chmod(folder.path + "/output", 0o711)
    #expect(FileSystem.exists(kept))
  }

  @Test(arguments: ["", "/", ".", "..", "//", "-"]) func needsAName(path: String) {
    #expect(throws: BenbenError.self) { try staged(path) }
  }

  /// What came into the folder that is replaced, after it was looked at, is not lost.
  @Test func whatAppearsMeanwhileIsKept() throws {
    let folder = try TestFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/output", withIntermediateDirectories: true)
    do {
      let staged = try StagedFolder(destination: folder.path + "/output", mayReplace: true) {
        FileSystem.entries(of: $0).isEmpty
      }
      try staged.write([1], to: "new")
      _ = try folder.write([5], "output/precious")
      #expect(throws: BenbenError.self) { try staged.commit() }
    }
    #expect(FileSystem.entries(of: folder.path + "/output") == ["precious"] && folder.entries == ["output"])
  }
}
