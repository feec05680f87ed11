import Checkpoints
import Files
import Foundation
import Kernels
import Models
import Tensors
import TestSupport
import Testing

@testable import PyramidFlow

/// Keys and values that are kept from one latent to the next change nothing.
struct HistoryCacheTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A clip of seven latents, so that every stage has known ones.
  private static let request = GenerationRequest(
    prompt: "a red ball", width: 128, height: 64, latentFrames: 7, steps: [1, 1, 1], videoSteps: [2, 1, 2],
    guidanceScale: 7, videoGuidanceScale: 5)

  private func model(_ fixture: String, _ type: WeightType) throws -> NativeModel {
    let path = folder.path + "/" + fixture + type.rawValue
    if !FileSystem.exists(path) {
      try ModelConverter(release: Fixtures.checkpoint(fixture)).convert(to: path, weights: type)
    }
    return try NativeModel(path: path)
  }

  /// The latents of a run, in the order in which stages end.
  private func latents(_ model: NativeModel, _ caching: HistoryCaching) throws -> [[Float]] {
    try KernelContext.scoped(threads: 2) { context in
      struct Done: Error {}
      var latents: [[Float]] = []
      let parts = try LoadedModel(model, in: context)
      do {
        _ = try Pipeline(parts, variant: "384p", historyCaching: caching, historyFolder: folder.path).run(
          Self.request, noise: SeededNoise(seed: 5),
          onValue: { value in
            switch value {
            case .latent(_, _, let latent): latents.append(latent.array)
            default: throw Done()
            }
          })
      } catch is Done {}
      return latents
    }
  }

  /// Integers sum exactly, attention reads what was kept, and every frame is embedded by itself: not a bit differs.
  @Test(arguments: ["shapes", "sd3"]) func quantizedLatentsAreTheSame(fixture: String) throws {
    let model = try model(fixture, .int8)
    let computed = try latents(model, .off)
    #expect(computed.count == 21)
    // All is kept, some of it, nothing.
    for caching in [HistoryCaching.automatic, .limited(bytes: 500_000), .limited(bytes: 0)] {
      #expect(try latents(model, caching) == computed)
    }
  }

  /// Sums of f32 may be in another order, by the number of rows.
  @Test(arguments: ["shapes", "sd3"]) func wideLatentsAreCloseToTheSame(fixture: String) throws {
    let model = try model(fixture, .f32)
    let computed = try latents(model, .off)
    for (kept, computed) in zip(try latents(model, .automatic), computed) {
      #expect(ErrorMetrics(kept, reference: computed).nmse <= 1e-10)
    }
  }

  /// The known part of a run's calls grows by a latent with every unit, and stages keep what they are to keep.
  @Test func knowsWhatTheLastUnitKept() throws {
    let inputs = TransformerInputs(latentChannels: 16, textWidth: 8, pooledWidth: 8, maximumSide: 1024)
    let calls = try Self.request.calls(for: inputs)
    let model = try model("shapes", .int8)
    let shape = try KernelContext.scoped(threads: 1) {
      try LoadedModel(model, in: $0).transformer(variant: "384p").historyShape
    }
    let cache = try HistoryCache(calls, textCounts: [3, 5], shape: shape, in: folder.path)
    var known: [Int: [Int]] = [:]
    for call in calls {
      let cached = cache.call(call)
      if call.step == 0 { known[call.stage, default: []].append(cached?.knownFrames ?? 0) }
      if let cached { cache.finish(cached, of: call) }
    }
    #expect(known == [0: [0, 0, 1, 2, 3, 4, 5], 1: [0, 0, 0, 1, 2, 3, 4], 2: [0, 0, 0, 0, 1, 2, 3]])
    #expect(cache.byteCount > 0 && folder.entries.allSatisfy { !$0.hasSuffix(".scratch") })
  }
}
