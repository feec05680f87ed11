import Files
import Foundation
import TestSupport
import Testing

extension FaultTests {
  /// A change that a run made to the file system, in the order in which it was made.
  private struct Change {
    let what: Substring
    /// The numbers of the file or folder, and of the folder whose entries change.
    let file: UInt64, folder: UInt64

    init?(_ line: Substring) {
      let parts = line.split(separator: " ")
      guard parts.count == 3, let file = UInt64(parts[1]), let folder = UInt64(parts[2]) else { return nil }
      (what, self.file, self.folder) = (parts[0], file, folder)
    }
  }

  /// What a crash of the machine leaves is old or new as well: an output is synced before it gets its name, its folder
  /// after that, and what it replaces is removed only then.
  @Test(arguments: Scenario.all.filter { !($0.outputs + $0.reports).isEmpty })
  func isDurable(_ scenario: Scenario) throws {
    let run = try Run(scenario, try Self.inputs.get())
    let journal = run.folder.path + "-journal"
    defer { try? FileManager.default.removeItem(atPath: journal) }
    let result = try run(["FAULT_JOURNAL": journal])
    try #require(result.code == 0, "\(result.errors)")
    let text = String(decoding: FileManager.default.contents(atPath: journal) ?? Data(), as: UTF8.self)
    let changes = text.split(separator: "\n").compactMap(Change.init)
    func last(before end: Int, where isMeant: (Change) -> Bool) -> Int? {
      changes[..<end].lastIndex(where: isMeant)
    }

    for name in scenario.outputs + scenario.reports {
      let output = run.folder.path + "/" + name
      let number = try number(output)
      let placed = try #require(
        last(before: changes.count) { $0.what == "place" && $0.file == number }, "\(name) is put in place")
      var parts = [output]
      if FileSystem.isFolder(output) {
        parts += try FileManager.default.subpathsOfDirectory(atPath: output).map { output + "/" + $0 }
      }
      for part in parts {
        let number = try self.number(part)
        let synced = last(before: placed) { $0.what == "sync" && $0.file == number }
        let changed = last(before: changes.count) {
          FileSystem.isFolder(part) ? $0.folder == number : $0.what == "write" && $0.file == number
        }
        #expect(synced != nil && synced ?? 0 > changed ?? -1, "\(part) is synced before it gets its name")
      }
      let folder = try self.number(run.folder.path)
      let told = changes[placed...].firstIndex { $0.what == "sync" && $0.file == folder }
      #expect(told != nil, "the new name of \(name) is synced")
      let removed = changes[placed...].firstIndex { $0.what == "remove" } ?? changes.count
      #expect(told ?? changes.count < removed, "what \(name) replaces is removed after that")
    }
  }

  private func number(_ path: String) throws -> UInt64 {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require((attributes[.systemFileNumber] as? NSNumber)?.uint64Value)
  }
}
