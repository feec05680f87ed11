import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct GoldenTraceTests {
  @Test func readsARequestAndTensors() throws {
    let trace = try GoldenTrace(at: Fixtures.trace("miniflux"))
    #expect(trace.request.prompt == "a red ball rolling over green hills")
    #expect(trace.request.negativePrompt == nil)
    #expect((trace.request.width, trace.request.height, trace.request.latentFrames) == (128, 64, 3))
    #expect(try trace.decoding() == .init(window: 1, tileSize: nil))
    #expect(try trace.text(.prompt)?.hasSuffix(", hyper quality, Ultra HD, 8K") == true)
    let embedding = try #require(try trace.embedding(.prompt))
    let mask = try #require(try trace.tokens(.prompt, .t5Mask))
    #expect(embedding.tokens.shape == [mask.reduce(0, +), 64])
    #expect(try trace.tensor(.initialNoise, shape: [1, 16, 3, 8, 16])?.count == 6144)
    #expect(try trace.tensor(.encoderInput) == nil)
    #expect(throws: BenbenError.self) { try trace.tensor(.initialNoise, shape: [1, 16, 4, 8, 16]) }
    #expect(trace.recordedActivations(call: 0).count == 11 && trace.recordedActivations(call: 1).isEmpty)
    #expect(try trace.clip().map { [$0.count, $0.height, $0.width] } == [17, 64, 128])
  }

  @Test func readsTiling() throws {
    #expect(
      try GoldenTrace(at: Fixtures.trace("vae_tiled")).decoding() == .init(window: 1, tileSize: 256))
  }

  @Test(arguments: [0, 1, 8, 96, 512, 2048, 100_000, 1_000_000])
  func refusesTruncatedFiles(length: Int) throws {
    let path = NSTemporaryDirectory() + UUID().uuidString + ".h5"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let bytes = try #require(FileManager.default.contents(atPath: Fixtures.trace("vae_tiled")))
    try bytes.prefix(length).write(to: URL(fileURLWithPath: path))
    #expect(throws: BenbenError.self) { try GoldenTrace(at: path) }
  }

  /// The same request without anything hostile opens, packed values included.
  @Test func readsTheSoundTwinOfTheHostileFiles() throws {
    let path = Fixtures.path + "/hostile-hdf5/sound.h5"
    #expect(try GoldenTrace(at: path).tensor(.initialNoise)?.count == 1024)
    let file = try HDF5File(path: path)
    #expect(try file.tensor("packed").array == (0..<1000).map(Float.init))
    // Ids are few, whatever a file says: their count is compared before they are read.
    #expect(try file.integers("packed", atMost: 1000) == Array(0..<1000))
    #expect(throws: BenbenError.self) { try file.integers("packed", atMost: 999) }
  }

  /// The files of this folder were made with h5py: an external link, a soft link, external storage, a virtual dataset,
  /// a shape bomb, many within the limit of one, a cycle of groups, a link in the middle of a path, an unknown filter.
  @Test(arguments: [
    "external-link", "soft-link", "external-storage", "virtual", "virtual-unlimited", "bomb", "cycle",
    "links", "bombs", "middle-link", "filter", "wide-chunk", "slash",
  ])
  func refusesHostileFiles(name: String) throws {
    #expect(throws: BenbenError.self) { try GoldenTrace(at: "\(Fixtures.path)/hostile-hdf5/\(name).h5") }
  }

  /// Many threads read one trace, and HDF5's settings for the process stay as they were.
  @Test func isReadByManyThreads() async throws {
    let trace = try GoldenTrace(at: Fixtures.trace("miniflux"))
    let sums = try await withThrowingTaskGroup(of: Float.self, returning: Set<Float>.self) { group in
      for _ in 0..<8 {
        group.addTask { try trace.tensor(.initialNoise)?.array.reduce(0, +) ?? 0 }
      }
      return try await group.reduce(into: []) { $0.insert($1) }
    }
    #expect(sums.count == 1)
  }
}
