import Checkpoints
import Files
import Foundation
import JSON
import Models
import Tensors
import TestSupport
import Testing

@testable import PyramidFlow

/// A8 of the review: what an earlier run kept is another run's when anything that it came from is another.
struct ResumeStateTests {
  private let folder: TestFolder
  private let shape = [1, 16, 1, 8, 16]

  init() throws { folder = try TestFolder() }

  private func state(_ model: String, variant: String = "384p", noise: String = "seed 0") throws
    -> ResumeState
  {
    ResumeState(
      embeddings: folder.path + "/texts.safetensors", latents: folder.path + "/clip.latents", noise: noise,
      model: try NativeModel(path: model), variant: variant, family: .miniFLUX)
  }

  /// A model whose manifest lists another hash for the tokenizers' files.
  private func retokenized(_ model: String) throws -> String {
    let copy = folder.path + "/other"
    try FileManager.default.copyItem(atPath: model, toPath: copy)
    var manifest = try #require(
      try JSONValue(parsing: Array(try Data(contentsOf: URL(fileURLWithPath: copy + "/manifest.json"))))
        .object)
    manifest["files"] = .array(
      (manifest["files"]?.array ?? []).map { file in
        var members = file.object ?? [:]
        members["sha256"] = .string(String(repeating: "0", count: 64))
        return .object(members)
      })
    _ = try folder.write(Array(JSONValue.object(manifest).canonicalText.utf8), "other/manifest.json")
    return copy
  }

  @Test func latentsAreOfOneVariantModelAndNoise() throws {
    let model = try #require(ConvertedModels.miniFLUX)
    let kept = Tensor.zeros(shape)
    try state(model).keep([kept], of: .small, image: nil)
    #expect(try state(model).latents(of: .small, image: nil, shape: shape).count == 1)
    let others = [
      try state(model, variant: "768p"), try state(model, noise: "seed 1"), try state(retokenized(model)),
    ]
    for (index, other) in others.enumerated() {
      let error = try #require(throws: BenbenError.self, "\(index)") {
        try other.latents(of: .small, image: nil, shape: shape)
      }
      #expect(error.what == "the file belongs to another run", "\(index): \(error)")
    }
  }

  /// A bit that flips in what was kept would make another clip.
  @Test func whatWasKeptIsWhatIsRead() throws {
    let model = try #require(ConvertedModels.miniFLUX)
    try state(model).keep([Tensor.zeros(shape)], of: .small, image: nil)
    let path = folder.path + "/clip.latents"
    var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[bytes.count - 100] ^= 1
    _ = try folder.write(bytes, "clip.latents")
    let error = try #require(throws: BenbenError.self) {
      try state(model).latents(of: .small, image: nil, shape: shape)
    }
    #expect(error.what == "the file is damaged" && error.subject == path, "\(error)")
  }

  @Test func embeddingsAreOfOneTokenizer() throws {
    let model = try #require(ConvertedModels.miniFLUX)
    let embedding = TextEmbedding(tokens: .zeros([3, 32]), pooled: .zeros([1, 32]))
    try state(model).keep([embedding], of: ["a text"])
    #expect(try state(model).embeddings(of: ["a text"])?.count == 1)
    #expect(throws: BenbenError.self) { try state(model).embeddings(of: ["another"]) }
    #expect(throws: BenbenError.self) { try state(retokenized(model)).embeddings(of: ["a text"]) }
  }
}
