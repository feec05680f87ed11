import Files
import Foundation
import TestSupport
import Testing

/// The arrows of the house: who may import whom.
@Suite struct ArrowTests {
  /// The Swift modules of the project that each module may import.
  static let allowed: [String: Set<String>] = [
    "JSON": [], "Files": [], "Clips": [],
    "Tensors": ["Files"],
    "Checkpoints": ["Files", "Tensors", "JSON"],
    "Kernels": ["Files", "Tensors"],
    "Models": ["Files", "Tensors", "Kernels", "JSON"],
    "Isolation": ["Files", "JSON"],
    "Media": ["Files", "Clips", "JSON", "Isolation"],
    "Parity": ["Files", "Clips", "Tensors", "JSON", "Isolation"],
    "PyramidFlow": ["Files", "Clips", "Tensors", "Checkpoints", "Kernels", "Models", "JSON"],
    "PyramidFlowVerification": [
      "Files", "Clips", "Tensors", "Checkpoints", "Kernels", "Models", "JSON", "Isolation",
      "Media", "Parity", "PyramidFlow",
    ],
    "benben": [
      "Files", "Clips", "Tensors", "Checkpoints", "Kernels", "Models", "JSON", "Media", "Parity",
      "PyramidFlow", "PyramidFlowVerification",
    ],
  ]

  /// Our own C code, which is no library of somebody else's.
  static let ownC: Set<String> = ["CKernelLoops"]

  private static let sources = Fixtures.repository + "/Sources"

  private static func files(of module: String) -> [String] {
    let root = sources + "/" + module
    return (FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? [])
      .filter { $0.hasSuffix(".swift") }.map { root + "/" + $0 }
  }

  private static func imports(in file: String) throws -> Set<String> {
    let text = try String(contentsOfFile: file, encoding: .utf8)
    return Set(
      text.split(separator: "\n").compactMap { line in
        line.firstMatch(of: /^\s*(?:@\S+\s+)*(?:public\s+)?import\s+(?:struct\s+)?(\w+)/).map { String($0.1) }
      })
  }

  @Test func everyModuleHasItsArrows() {
    let modules = FileSystem.folders(in: Self.sources).filter { !Self.files(of: $0).isEmpty }
    #expect(Set(modules) == Set(Self.allowed.keys))
  }

  @Test(arguments: allowed.keys.sorted()) func importsFollowTheArrows(module: String) throws {
    let own = Set(Self.allowed.keys)
    for file in Self.files(of: module) {
      let imported = try Self.imports(in: file).intersection(own)
      let forbidden = imported.subtracting(Self.allowed[module] ?? [])
      #expect(forbidden.isEmpty, "\(file) imports \(forbidden.sorted())")
    }
  }

  @Test func aCLibraryIsImportedByOneModule() throws {
    var importers: [String: Set<String>] = [:]
    for module in Self.allowed.keys {
      for file in Self.files(of: module) {
        for name in try Self.imports(in: file)
        where name.first == "C" && FileSystem.isFolder(Self.sources + "/" + name) {
          if Self.allowed[name] == nil { importers[name, default: []].insert(module) }
        }
      }
    }
    #expect(importers.count >= 9)
    for (library, modules) in importers where !Self.ownC.contains(library) {
      #expect(modules.count == 1, "\(library) is imported by \(modules.sorted())")
    }
  }

  @Test func libraryTextNamesNoFlag() throws {
    for module in Self.allowed.keys where module != "benben" {
      for file in Self.files(of: module) {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        for line in text.split(separator: "\n") where !line.drop(while: { $0 == " " }).hasPrefix("//") {
          #expect(line.firstMatch(of: /"[^"]*--[a-z][^"]*"/) == nil, "\(file): \(line)")
        }
      }
    }
  }

  /// Files that are longer, each with the reason.
  static let longFiles = [
    "PickleReader.swift": "one switch over all opcodes that are known, and the stack that they work on"
  ]

  @Test func filesAreShort() throws {
    for module in Self.allowed.keys {
      for file in Self.files(of: module) {
        let lines =
          try String(contentsOfFile: file, encoding: .utf8).split(
            separator: "\n", omittingEmptySubsequences: false
          ).count - 1
        #expect(lines <= 300 || Self.longFiles[FileSystem.lastComponent(file)] != nil, "\(file): \(lines)")
      }
    }
  }

  @Test func theCommandIsAThinShell() throws {
    let lines = try Self.files(of: "benben").reduce(0) {
      $0
        + (try String(contentsOfFile: $1, encoding: .utf8)).split(
          separator: "\n", omittingEmptySubsequences: false
        ).count - 1
    }
    #expect(lines <= 2000)
  }
}
