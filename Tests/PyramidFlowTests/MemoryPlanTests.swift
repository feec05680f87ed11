import TestSupport
import Testing

@testable import PyramidFlow

struct MemoryPlanTests {
  @Test func needsTheLargestPart() throws {
    let model = try VideoModel(at: try #require(ConvertedModels.miniFLUX))
    let plan = try model.memoryPlan(for: .small)
    #expect(plan.variant == "384p" && plan.phases.count == 4)
    #expect(plan.peak == plan.phases.map { $0.weights + $0.working }.max())
    var longer = GenerationRequest.small
    longer.latentFrames = 16
    let more = try model.memoryPlan(for: longer)
    #expect(more.peak > plan.peak)
    try plan.requireFit(limit: plan.peak)
    #expect { try plan.requireFit(limit: plan.peak - 1) } throws: {
      ($0 as? BenbenError)?.code == .exceedsMemoryLimit
    }
  }

  /// What is multiplied as integers is rounded while it is computed, and never held as it is.
  @Test func integersNeedLess() throws {
    let converter = ModelConverter(release: Fixtures.checkpoint("miniflux"))
    let working = try [WeightType.bf16, .int8].map { type in
      let plan = try #require(
        try MemoryPlan(try converter.plan(QuantizationOptions(type: type)), request: .small))
      return try #require(plan.phases.first { $0.component.hasPrefix("diffusion_transformer_") }).working
    }
    #expect(working[1] < working[0])
    func stored(_ path: String) throws -> [Int] {
      try VideoModel(at: path).memoryPlan(for: .small).phases.map(\.working)
    }
    #expect(try stored(try #require(ConvertedModels.miniFLUX)).contains(working[0]))
    let folder = try TestFolder()
    try converter.convert(to: folder.path + "/int8", weights: .int8)
    #expect(try stored(folder.path + "/int8").contains(working[1]))
  }
}
