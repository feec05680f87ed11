import Files
import JSON
import TestSupport
import Testing

@testable import Parity

struct GoldenBundleTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func bundle(files: [JSONValue], checkpoint: [JSONValue] = []) throws -> GoldenBundle {
    let manifest: JSONValue = [
      "schema": "benben.bundle/1", "files": .array(files), "checkpoint": .array(checkpoint),
    ]
    _ = try folder.write(Array(manifest.canonicalText.utf8), "manifest.json")
    return try #require(try GoldenBundle(folder: folder.path))
  }

  private static let trace: JSONValue = ["path": "golden.h5", "bytes": 1, "sha256": "aa"]

  /// "Recorded from the very files" is said where it is known for every component, and nowhere else: C6 of the review.
  @Test func whatIsNotKnownIsNotClaimed() throws {
    let plain = try bundle(files: [Self.trace])
    #expect(plain.componentsOfOtherFiles([:]) == nil)
    #expect(plain.componentsOfOtherFiles(["text_encoder": [["sha256": "bb"]]]) == nil)
    let full = try bundle(
      files: [Self.trace], checkpoint: [["path": "text_encoder/model.safetensors", "sha256": "bb"]])
    #expect(full.componentsOfOtherFiles([:]) == nil)
    #expect(full.componentsOfOtherFiles(["text_encoder": []]) == nil)
    #expect(full.componentsOfOtherFiles(["text_encoder": [["sha256": "bb"]]]) == [])
    #expect(full.componentsOfOtherFiles(["text_encoder": [["sha256": "cc"]]]) == ["text_encoder"])
  }

  @Test func aFileIsListedOnce() throws {
    #expect(throws: BenbenError.self) { try bundle(files: [Self.trace, Self.trace]) }
    #expect(throws: BenbenError.self) { try bundle(files: []) }
  }

  /// What was hashed first and opened after must be one file: D3 of the review.
  @Test func theTraceIsTheListedOne() throws {
    let bundle = try bundle(files: [Self.trace])
    try bundle.requireTrace(sha256: "aa")
    #expect(throws: BenbenError.self) { try bundle.requireTrace(sha256: "ab") }
  }
}
