import Files
import Tensors
import Testing

@testable import Models

struct TransformerCallTests {
  private static let inputs = TransformerInputs(
    latentChannels: 1, textWidth: 8, pooledWidth: 8, maximumSide: 1024)

  private static func request(image: Bool = false) -> GenerationRequest {
    GenerationRequest(
      prompt: "", width: 128, height: 64, latentFrames: 7, steps: [2, 1, 3], videoSteps: [1, 2, 1],
      guidanceScale: 7, videoGuidanceScale: 5, startsFromImage: image)
  }

  @Test func walksUnitsStagesAndSteps() throws {
    let calls = try Self.request().calls(for: Self.inputs)
    #expect(calls.map(\.index) == Array(0..<6 + 6 * 4))
    #expect(calls.prefix(8).map(\.unit) == [0, 0, 0, 0, 0, 0, 1, 1])
    #expect(calls.prefix(8).map(\.stage) == [0, 0, 1, 2, 2, 2, 0, 1])
    #expect(calls.prefix(8).map(\.step) == [0, 1, 0, 0, 1, 2, 0, 0])
    #expect(calls.filter(\.startsUnit).map(\.unit) == Array(0..<7))
    #expect(calls.filter(\.endsUnit).count == 7 && calls.filter(\.endsStage).count == 21)
    #expect(calls[0].guidanceScale == 7 && calls[6].guidanceScale == 5)
    let schedule = PyramidFlowSchedule()
    #expect(calls[3..<6].map(\.timestep) == schedule.timesteps(stage: 2, count: 3))
    #expect(calls[3..<6].map(\.sigma) + [0] == schedule.sigmas(count: 3))
    #expect(calls[5].nextSigma == 0)
  }

  /// The shapes are those of the history that the sampler makes, from text and from an image.
  @Test(arguments: [false, true]) func shapesAreThoseOfTheSampler(image: Bool) throws {
    for call in try Self.request(image: image).calls(for: Self.inputs) {
      let finished = call.unit + (image ? 1 : 0)
      let history = PyramidSampler.history((0..<finished).map { _ in Tensor.zeros([1, 1, 8, 16]) })
      #expect(call.historyShapes == (history.isEmpty ? [] : history[call.stage].map(\.shape)))
      let halvings = 2 - call.stage
      #expect(call.latentShape == [1, 1, 8 >> halvings, 16 >> halvings])
      let pixels = (history[call.stage].map(\.count) + [call.latentShape.reduce(1, *)]).reduce(0, +)
      #expect(call.latentTokens == pixels / 4)
    }
  }

  @Test func theLongestCallIsTheLast() throws {
    let calls = try Self.request().calls(for: Self.inputs)
    #expect(calls.map(\.latentTokens).max() == Self.request().longestLatentTokens())
  }

  @Test func refusesWhatTheTransformerCannotPlace() throws {
    let narrow = TransformerInputs(latentChannels: 1, textWidth: 8, pooledWidth: 8, maximumSide: 64)
    #expect(throws: BenbenError.self) { try Self.request().calls(for: narrow) }
    var request = Self.request()
    request.width = 100
    #expect(throws: BenbenError.self) { try request.calls(for: Self.inputs) }
  }
}
