import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

/// Models whose files do not agree, or change while they are read.
extension NativeFormatTests {
  private func changeManifest(_ model: String, _ change: (inout JSONValue) throws -> Void) throws {
    var manifest = try JSONValue(parsing: try bytes(model + "/manifest.json"))
    try change(&manifest)
    try Data(manifest.canonicalText.utf8).write(to: URL(fileURLWithPath: model + "/manifest.json"))
  }

  private func changeComponent(_ model: String, _ name: String, _ value: JSONValue) throws {
    try changeManifest(model) { manifest in
      var members = try #require(manifest.object)
      var component = try #require(members["components"]?.array?.first?.object)
      component[name] = value
      members["components"] = .array([.object(component)])
      manifest = .object(members)
    }
  }

  @Test(arguments: [-1, Int.max, 1 << 48]) func sizesThatCannotBeAreRefused(size: Int) throws {
    let model = try convert(plan())
    try changeComponent(model, "bytes", .integer(size))
    #expect(throws: BenbenError.self) { try NativeModel(path: model) }
  }

  /// With all hashes right, a component stands under another's name.
  @Test func aComponentIsTheOneThatItIsCalled() throws {
    let model = try convert(plan())
    try changeComponent(model, "name", "other")
    let error = try #require(throws: BenbenError.self) { try NativeModel(path: model).component("other") }
    #expect(error.description.contains("the manifest calls it"), "\(error)")
  }

  /// The manifest names its own hash, and what thresholds depend on is not read from it.
  @Test func theManifestIsCheckedToo() throws {
    let model = try convert(plan())
    #expect(try NativeModel(path: model).integrityIssues().isEmpty)
    try changeComponent(model, "type", "int8")
    let changed = try NativeModel(path: model)
    #expect(try changed.coarsestLossyType() == nil)
    #expect(try changed.integrityIssues().map(\.file) == [model + "/manifest.json"])
    #expect(throws: BenbenError.self) { try changed.sourceComponent("part") }
  }

  /// What a manifest says of tensors is what cards and people read of them, whatever hash it has.
  @Test(arguments: ["shape", "type", "name", "bytes"]) func theManifestIsOfItsComponents(member: String)
    throws
  {
    let model = try convert(plan())
    var members = try #require(try JSONValue(parsing: try bytes(model + "/manifest.json")).object)
    if member == "bytes" {
      members["bytes"] = -5
    } else {
      var rows = try #require(members["tensors"]?.array)
      let changed: JSONValue = member == "shape" ? [.integer(1 << 40), .integer(1 << 40)] : "x"
      rows[0] = .object((rows[0].object ?? [:]).merging([member: changed]) { $1 })
      members["tensors"] = .array(rows)
    }
    try Data(Manifest.text(.object(members))).write(to: URL(fileURLWithPath: model + "/manifest.json"))
    #expect(try NativeModel(path: model).integrityIssues().map(\.file) == [model + "/manifest.json"])
  }

  /// A mapped file that is cut short while it is checked is told, where reading on would end the process.
  @Test func aFileThatShrinksIsTold() throws {
    let model = try convert(plan())
    let path = model + "/part.benben"
    let component = try NativeComponent(path: path)
    var hasShrunk = false
    let result = Result {
      try component.integrityIssues { _ in
        guard !hasShrunk else { return }
        hasShrunk = true
        try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(atOffset: 4096)
      }
    }
    #expect(hasShrunk)
    switch result {
    case .success(let issues): #expect(!issues.isEmpty)
    case .failure(let error): #expect(error is BenbenError)
    }
  }
}
