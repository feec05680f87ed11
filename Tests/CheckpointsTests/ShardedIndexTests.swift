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
    return try ShardedIndex.open(InputFile(path: path), in: CheckpointFolder(path: folder.path))
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

  /// A config or the manifest of a model is no damaged index.
  @Test func whatIsNoIndexIsToldAsThat() throws {
    let error = try #require(throws: BenbenError.self) { try open("{\"schema\":\"x\"}") }
    #expect(error.what == "neither weights nor the index of their shards")
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

  /// 48: a tensor that a second shard holds as well.
  @Test func refusesATensorInTwoShards() throws {
    _ = try folder.write(safetensors([("a", [1]), ("b", [2])]), "both.safetensors")
    #expect {
      try open("{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"both.safetensors\"}}")
    } throws: { "\($0)".contains("unexpected tensor") }
  }

  /// 49: the total is not looked at, since released indexes count tied tensors differently.
  @Test(arguments: ["0", "-1", "1e99", "\"x\""]) func doesNotLookAtTheTotal(total: String) throws {
    let metadata = "\"metadata\":{\"total_size\":\(total)}"
    let files = try open("{\(metadata),\"weight_map\":{\"a\":\"one.safetensors\"}}")
    #expect(files.tensors.count == 1)
  }

  /// 52: more shards than any checkpoint has are refused before any is opened.
  @Test func refusesManyShards() {
    let rows = (0..<200_000).map { "\"t\($0)\":\"s\($0)\"" }
    let elapsed = ContinuousClock().measure {
      #expect { try open("{\"weight_map\":{\(rows.joined(separator: ","))}}") } throws: {
        "\($0)".contains("200000 shards")
      }
    }
    #expect(elapsed < .seconds(10))
  }
}
