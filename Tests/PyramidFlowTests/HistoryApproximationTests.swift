import Checkpoints
import Files
import Foundation
import Kernels
import Models
import Synchronization
import Tensors
import TestSupport
import Testing

@testable import PyramidFlow

/// Keys and values of the history that are interpolated between a few timesteps.
struct HistoryApproximationTests {
  private let folder: TestFolder

  init() throws { folder = try TestFolder() }

  /// A clip of seven latents with ten steps a stage, of which the trained checkpoint knows the prompt.
  private static func request(guidance: Float = 5, side: Int = 64) -> GenerationRequest {
    GenerationRequest(
      prompt: "a red square moving right", width: side, height: side, latentFrames: 7, steps: [10, 10, 10],
      videoSteps: [10, 10, 10], guidanceScale: guidance, videoGuidanceScale: guidance)
  }

  private func model(_ type: WeightType, _ fixture: String = "shapes") throws -> NativeModel {
    let path = folder.path + "/" + fixture + type.rawValue
    if !FileSystem.exists(path) {
      try ModelConverter(release: Fixtures.checkpoint(fixture)).convert(to: path, weights: type)
    }
    return try NativeModel(path: path)
  }

  /// The finished latents of a run.
  private func latents(
    _ model: NativeModel, _ request: GenerationRequest, caching: HistoryCaching = .automatic,
    image: Clip? = nil
  ) throws -> [[Float]] {
    try KernelContext.scoped(threads: 2) { context in
      struct Done: Error {}
      var latents: [[Float]] = []
      let pipeline = Pipeline(
        try LoadedModel(model, in: context), variant: "384p", historyCaching: caching,
        historyFolder: folder.path)
      do {
        _ = try pipeline.run(
          request, image: image, noise: SeededNoise(seed: 5),
          onValue: { value in
            switch value {
            case .latent(_, let stage, let latent):
              if stage == PyramidFlowSchedule.stageCount - 1 { latents.append(latent.array) }
            default: throw Done()
            }
          })
      } catch is Done {}
      return latents
    }
  }

  /// The error of the latents after the first, which has no history.
  private func error(_ latents: [[Float]], _ reference: [[Float]]) -> Double {
    ErrorMetrics(Array(latents[1...].joined()), reference: Array(reference[1...].joined())).nmse
  }

  /// The work of a clip of full size, as a share of the exact computation's.
  private func share(_ request: GenerationRequest) throws -> Double {
    let estimate = WorkEstimate(width: 1920, textCounts: [100, 60])
    let inputs = TransformerInputs(latentChannels: 16, textWidth: 8, pooledWidth: 8, maximumSide: 1024)
    func work(_ steps: [Int], _ approximation: Approximation) throws -> Double {
      var full = GenerationRequest(prompt: "x", variant: .named("384p"))
      full.videoSteps = steps
      return try estimate.work(
        of: full.calls(for: inputs), reusesHistory: true, historyNodes: approximation.historyNodes
      ).reduce(0, +)
    }
    return try work(request.videoSteps, request.approximation) / work([10, 10, 10], .off)
  }

  /// Where every step is a node, nothing is approximated; also from an image, and whatever finished units have left.
  @Test(arguments: ["shapes", "sd3"]) func asManyNodesAsStepsAreExact(fixture: String) throws {
    let model = try model(.f32, fixture)
    var request = Self.request()
    (request.latentFrames, request.steps, request.videoSteps) = (5, [2, 2, 2], [3, 2, 2])
    for image in [nil, Clip(black: 1, width: 64, height: 64)] {
      request.startsFromImage = image != nil
      request.approximation = .off
      let exact = try latents(model, request, image: image)
      request.approximation = .history(nodes: 3)
      for caching in [HistoryCaching.automatic, .limited(bytes: 200_000), .off] {
        let ours = try latents(model, request, caching: caching, image: image)
        #expect(ours.count == exact.count)
        for (latent, reference) in zip(ours, exact) {
          #expect(ErrorMetrics(latent, reference: reference).nmse <= 1e-10)
        }
      }
    }
  }

  /// The reason for which the approximation is there: it is nearer to the exact latents than more time of fewer steps.
  @Test func beatsFewerSteps() throws {
    let model = try model(.f32)
    var request = Self.request()
    let exact = try latents(model, request)
    request.approximation = .history(nodes: Approximation.defaultNodes)
    let approximated = try error(latents(model, request), exact)
    let time = try share(request)
    request.approximation = .off
    request.videoSteps = [7, 7, 7]
    let fewer = try error(latents(model, request), exact)
    let other = try share(request)
    #expect(time < 0.68 && time < other)
    // Measured: 3e-4 and 2.5e-3.
    #expect(approximated < 6e-4 && approximated > 1e-6 && approximated < fewer / 4)
  }

  /// Fewer nodes than two, and more than there can be steps, are refused.
  @Test(arguments: [-1, 0, 1, 1001]) func refusesImpossibleNodes(nodes: Int) {
    var request = Self.request()
    request.approximation = .history(nodes: nodes)
    #expect(throws: BenbenError.self) { try request.validated() }
    #expect(Approximation(rawValue: "history=\(nodes)") == nil)
  }

  /// Progress never goes back, tells of the nodes before a stage's first call, and ends with all of the work.
  @Test func progressKnowsTheNodes() async throws {
    let model = try VideoModel(at: try self.model(.int8).path, threads: 1)
    var request = Self.request()
    (request.latentFrames, request.steps, request.videoSteps) = (3, [1, 1, 1], [4, 3, 1])
    request.approximation = .history(nodes: 3)
    let seen = Mutex<[GenerationEvent]>([])
    _ = try await model.generate(request) { event in seen.withLock { $0.append(event) } }
    let sampling = seen.withLock { $0 }.filter {
      switch $0 {
      case .approximated, .called: true
      default: false
      }
    }
    let shares = sampling.map(\.fraction)
    #expect(shares == shares.sorted() && abs((shares.last ?? 0) - 1) < 1e-9)
    var nodes: [[Int]] = []
    for case .approximated(let call, _, _, let share) in sampling {
      #expect(call.startsStage && share < 1)
      if nodes.last != [call.unit, call.stage] { nodes.append([call.unit, call.stage]) }
    }
    #expect(nodes == [[1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]])
  }

  /// Prints the table of the manual's page on performance.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["BENBEN_APPROXIMATION_TABLE"] != nil))
  func table() throws {
    let settings: [(guidance: Float, side: Int)] = [(3, 64), (5, 128), (7, 64)]
    let exact = try settings.map {
      try latents(model(.f32), Self.request(guidance: $0.guidance, side: $0.side))
    }
    func row(_ name: String, _ type: WeightType, _ change: (inout GenerationRequest) -> Void) throws {
      var cells: [String] = []
      for (index, setting) in settings.enumerated() {
        var request = Self.request(guidance: setting.guidance, side: setting.side)
        change(&request)
        if index == 0 { cells.append(String(format: "%.2f", try share(request))) }
        cells.append(String(format: "%.1e", try error(latents(model(type), request), exact[index])))
      }
      print("| \(type.rawValue), \(name) | \(cells.joined(separator: " | ")) |")
    }
    for type in [WeightType.f32, .int8] {
      if type == .int8 { try row("exact", type) { _ in } }
      for nodes in 2...6 {
        try row("history=\(nodes)", type) { $0.approximation = .history(nodes: nodes) }
      }
      for steps in (5...9).reversed() {
        try row("\(steps) steps", type) { $0.videoSteps = [steps, steps, steps] }
      }
    }
  }
}
