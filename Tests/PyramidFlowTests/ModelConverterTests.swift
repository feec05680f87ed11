import Files
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import PyramidFlow

struct ModelConverterTests {
  @Test func convertsWithProgress() throws {
    let folder = try TestFolder()
    var fractions: [Double] = []
    try ModelConverter(release: Fixtures.checkpoint("miniflux")).convert(
      to: folder.path + "/model", weights: .int8
    ) { fractions.append($0.fraction) }
    #expect(fractions == fractions.sorted() && fractions.last == 1)
    #expect(folder.entries == ["model"])
    let error = try #require(throws: BenbenError.self) {
      _ = try ModelConverter(release: folder.path + "/model").plan(.init(type: .bf16))
    }
    #expect(error.code == .alreadyRounded)
  }

  @Test func whatEndsEarlyLeavesNothing() async throws {
    struct Stop: Error {}
    let folder = try TestFolder()
    let converter = ModelConverter(release: Fixtures.checkpoint("miniflux"))
    #expect(throws: Stop.self) { try converter.convert(to: folder.path + "/model") { _ in throw Stop() } }
    let path = folder.path + "/model"
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try converter.convert(to: path)
    }
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(folder.entries.isEmpty)
  }

  /// What is hashed is what was converted: a source that changes in between ends the conversion, and nothing is left.
  @Test func aSourceThatChangesMeanwhileIsRefused() throws {
    let folder = try TestFolder()
    let source = folder.path + "/checkpoint"
    try FileManager.default.copyItem(atPath: Fixtures.checkpoint("miniflux"), toPath: source)
    var isChanged = false
    let error = try #require(throws: BenbenError.self) {
      try ModelConverter(release: source).convert(to: folder.path + "/model") { _ in
        if isChanged { return }
        isChanged = true
        for file in FileSystem.filesBelow(source) where !file.hasSuffix(".json") {
          let handle = try FileHandle(forUpdating: URL(fileURLWithPath: source + "/" + file))
          try handle.seekToEnd()
          try handle.write(contentsOf: [0])
          try handle.close()
        }
      }
    }
    #expect(error.kind == .inputOutput && error.description.contains("changed"), "\(error)")
    #expect(folder.entries == ["checkpoint"])
  }

  /// Single files give the weights of the release that they are from.
  @Test func assemblesSingleFiles() throws {
    let folder = try TestFolder()
    let checkpoint = Fixtures.checkpoint("miniflux")
    let files = SingleFiles(
      transformer: checkpoint + "/diffusion_transformer_384p", vae: checkpoint + "/causal_video_vae",
      t5: checkpoint + "/text_encoder_2", clips: [checkpoint + "/text_encoder"], tokenizers: checkpoint)
    try ModelConverter(files: files).convert(to: folder.path + "/files")
    let whole = try #require(ConvertedModels.miniFLUX)
    for name in ["diffusion_transformer_384p", "causal_video_vae", "text_encoder", "text_encoder_2"] {
      let tensors = try NativeComponent(path: "\(folder.path)/files/\(name).benben").tensors
      #expect(try NativeComponent(path: "\(whole)/\(name).benben").tensors.map(\.name) == tensors.map(\.name))
    }
    var lacking = files
    lacking.tokenizers = nil
    let error = try #require(throws: BenbenError.self) {
      _ = try ModelConverter(files: lacking).plan(.init(type: nil))
    }
    #expect(error.code == .tokenizersNeeded)
  }

  @Test func namesWhatIsNoRelease() throws {
    let error = try #require(throws: BenbenError.self) {
      _ = try ModelConverter(release: Fixtures.path).plan(.init(type: nil))
    }
    #expect(error.code == .notARelease)
  }
}
