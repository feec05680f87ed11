import Foundation
import TestSupport
import Testing

@testable import Files

struct FileSystemTests {
  @Test func namesNeighbours() {
    #expect(FileSystem.parent(of: "a/b") == "a" && FileSystem.parent(of: "b") == ".")
    #expect(FileSystem.parent(of: "/b") == "/" && FileSystem.parent(of: "/") == "/")
    #expect(FileSystem.parent(of: "a//b/") == "a" && FileSystem.parent(of: "b/") == ".")
    #expect(FileSystem.parent(of: "a/\u{301}b") == "a" && FileSystem.parent(of: ".") == ".")
    #expect(FileSystem.lastComponent("/a/b/") == "b" && FileSystem.lastComponent("b") == "b")
    #expect(FileSystem.partial(of: "a/b") == "a/.b.partial" && FileSystem.partial(of: "b") == ".b.partial")
  }

  @Test func makesFoldersAbove() throws {
    let folder = try TestFolder()
    for path in ["a", "b/c/d", "e/", "f//g/", "a/../h"] {
      for _ in 0..<2 { try FileSystem.makeFolders(folder.path + "/" + path) }
      #expect(FileSystem.isFolder(folder.path + "/" + path), "\(path)")
    }
    _ = try folder.write([], "file")
    for path in ["file", "file/a", "/proc/none/a"] {
      let path = path.hasPrefix("/") ? path : folder.path + "/" + path
      #expect { try FileSystem.makeFolders(path) } throws: {
        ($0 as? BenbenError)?.kind == .cannotCreate
      }
    }
  }

  @Test func listsByBytes() throws {
    let folder = try TestFolder()
    for name in ["b", "a", "é", "Z", ".hidden", "sub/file"] { _ = try folder.write([], name) }
    #expect(FileSystem.files(in: folder.path) == ["Z", "a", "b", "é"])
    #expect(FileSystem.folders(in: folder.path) == ["sub"])
    #expect(FileSystem.entries(of: "/nonexistent").isEmpty)
  }

  @Test(arguments: [(999, "999 B"), (1000, "1.0 KB"), (18_600_000, "18.6 MB"), (7_700_000_000, "7.7 GB")])
  func writesSizes(count: Int, text: String) { #expect(ByteSize.text(count) == text) }

  @Test func errorsSayWhatTheySayAnywhere() {
    let error: any Error = BenbenError(
      .missing, "no file", at: "a", because: "it is gone", remedies: ["b", "c"])
    #expect(error.localizedDescription == "no file: a: it is gone")
    #expect((error as? BenbenError)?.recoverySuggestion == "b\nc")
  }

  @Test func aTemporaryFolderGoes() throws {
    let parent = try TestFolder()
    do {
      let folder = try TemporaryFolder(beside: parent.path + "/output")
      #expect(FileSystem.isFolder(folder.path) && parent.entries.count == 1)
    }
    #expect(parent.entries.isEmpty)
  }

  @Test(arguments: [
    ("a/b", true), ("a", true), ("../a", false), ("a/../b", false), ("/a", false), ("a//b", false),
    ("", false),
    ("a\\b", false), ("a\0b", false), (".", false), ("../\u{301}x", false), ("a/..\u{2F}\u{301}", false),
  ])
  func relativePathsStayInside(path: String, isInside: Bool) {
    #expect(RelativePath.staysInside(path) == isInside)
  }
}
