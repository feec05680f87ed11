import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Checkpoints

struct ShardedIndexTests {
  private let folder: TestFolder

  init() throws {
    folder = try TestFolder()
    _ = try folder.write(safetensors([("a", [1])]), "one.safetensors")
    _ = try folder.write(safetensors([("b", [2])]), "two.safetensors")
  }

  private func open(_ index: String) throws -> WeightFiles {
    let path = try folder.write(Array(index.utf8), "model.safetensors.index.json")
    return try ShardedIndex.open(path, in: CheckpointFolder(path: folder.path))
  }

  @Test func joinsShards() throws {
    let files = try open("{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}")
    #expect(files.tensors.map(\.name) == ["a", "b"] && files.files.count == 2)
  }

  @Test(arguments: [
    "{}", "{\"weight_map\":[]}", "{\"weight_map\":{}}", "{\"weight_map\":{\"a\":1}}",
    "{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
    "{\"weight_map\":{\"a\":\"..\"}}",
    "{\"weight_map\":{\"a\":\"absent.safetensors\",\"b\":\"two.safetensors\"}}",
    "{\"weight_map\":{\"a\":\"two.safetensors\",\"b\":\"two.safetensors\"}}",
    "{\"weight_map\":{\"a\":\"one.safetensors\",\"z\":\"one.safetensors\"}}",
    "{\"weight_map\":{\"a\":\"one.safetensors\",\"a\":\"two.safetensors\"}}",
    "{\"weight_map\":{\"b\":\"one.safetensors\"}}", "{\"weight_map\":{\"a\":\"one\\u0000\"}}",
  ])
  func refuses(index: String) {
    #expect(throws: BenbenError.self) { try open(index) }
  }

  @Test func refusesALinkOutOfTheFolderAndWhatIsNoFile() throws {
    let outside = try TestFolder()
    let target = try outside.write(safetensors([("a", [1])]), "outside.safetensors")
    let link = folder.path + "/link.safetensors"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
    #expect(throws: BenbenError.self) { try open("{\"weight_map\":{\"a\":\"link.safetensors\"}}") }
    mkfifo(folder.path + "/pipe.safetensors", 0o600)
    #expect(throws: BenbenError.self) { try open("{\"weight_map\":{\"a\":\"pipe.safetensors\"}}") }
    try FileManager.default.createDirectory(
      atPath: folder.path + "/d.safetensors", withIntermediateDirectories: true)
    #expect(throws: BenbenError.self) { try open("{\"weight_map\":{\"a\":\"d.safetensors\"}}") }
  }
}
