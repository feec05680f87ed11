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
}
