import Files
import Kernels
import Models
import Parity
import PyramidFlow
import Tensors
import TestSupport
import Testing

@testable import PyramidFlowVerification

/// Every module of the models against the official implementation, so that a failure names one.
struct ModuleTests {
  private static let bar = 1e-10

  private func parts(_ fixture: String) throws -> LoadedModel {
    try LoadedModel(
      NativeModel(path: try #require(ConvertedModels.exact[fixture] ?? nil)), in: KernelContext())
  }

  private static func modules(_ fixture: String) -> [(fixture: String, path: String)] {
    let recorded = (try? GoldenTrace(at: Fixtures.trace(fixture)).recordedActivations(call: 0)) ?? []
    return recorded.map { (fixture, $0) }
  }

  /// The transformer's modules, one by one, from the inputs of the first call.
  @Test(arguments: modules("miniflux") + modules("sd3"))
  func transformerModule(_ item: (fixture: String, path: String)) throws {
    let parts = try parts(item.fixture)
    let trace = try GoldenTrace(at: Fixtures.trace(item.fixture))
    let request = try GenerationRequest(trace, family: parts.family.name)
    let transformer = try parts.transformer(variant: "384p")
    let call = try #require(try request.calls(for: transformer.inputs).first)
    let texts = try #require(try trace.texts(request, for: transformer.inputs))
    let inputs = try #require(try trace.inputs(of: call, texts: texts.count))
    let observer = try #require(ActivationComparison(trace, call: 0, threshold: Self.bar))
    _ = try PyramidSampler(transformer, in: parts.context).predict(
      latent: inputs[inputs.count - 1], history: inputs.dropLast(), timestep: call.timestep, texts: texts,
      observer: observer)
    let result = try #require(try observer.finish().first { $0.path == item.path })
    #expect(result.passed, "\(item.path): \(result.nmse)")
  }

  @Test(arguments: ["miniflux", "sd3"], TracePath.Text.allCases)
  func textEncoders(fixture: String, text: TracePath.Text) throws {
    let parts = try parts(fixture)
    let trace = try GoldenTrace(at: Fixtures.trace(fixture))
    let golden = try #require(try trace.embedding(text))
    let ids = try #require(try trace.tokens(text, .t5))
    let tokens = try parts.t5()([Array(ids.prefix(golden.tokens.shape[0]))], in: parts.context)
    #expect(nmse(tokens[0].array, golden.tokens.array) < Self.bar, "T5")
    var pooled: [Float] = []
    for (name, clip) in zip([TracePath.Tokens.clip, .clip2], parts.family.clipComponents) {
      let component = try parts.native.component(clip)
      let encoder = try parts.family.clip(clip, config: component.config, WeightScope(component))
      pooled += try encoder.pooled(try #require(try trace.tokens(text, name)), in: parts.context).array
    }
    #expect(nmse(pooled, golden.pooled.array) < Self.bar, "CLIP")
  }

  @Test func tokenizersGiveTheRecordedIDs() throws {
    for fixture in ["miniflux", "sd3"] {
      let trace = try GoldenTrace(at: Fixtures.trace(fixture))
      let encoders = try parts(fixture).textEncoders()
      for text in TracePath.Text.allCases {
        let tokens = try encoders.tokenize(try #require(try trace.text(text)))
        #expect(try tokens.t5.ids == trace.tokens(text, .t5))
        #expect(try tokens.clip[0].ids == trace.tokens(text, .clip))
      }
    }
  }

  @Test(arguments: ["miniflux", "sd3"]) func decoder(fixture: String) throws {
    let parts = try parts(fixture)
    let trace = try GoldenTrace(at: Fixtures.trace(fixture))
    let golden = try #require(try trace.tensor(.decoderInput))
    let decoded = try parts.vae().decode(
      golden.reshaped(Array(golden.shape.dropFirst())), tiling: try #require(try trace.tiling()),
      in: parts.context)
    let expected = try #require(try trace.tensor(.decoderOutput))
    #expect(nmse(CausalVideoVAE.channelsFirst(decoded).array, expected.array) < Self.bar)
  }

  @Test func encoder() throws {
    let parts = try parts("miniflux")
    let trace = try GoldenTrace(at: Fixtures.trace("i2v"))
    let image = try #require(try trace.startImage())
    let (mean, deviation) = try parts.vae().encode(image.encoderInput, isTiled: false, in: parts.context)
    #expect(nmse(mean.array, try #require(try trace.tensor(.latentMean)).array) < Self.bar)
    #expect(nmse(deviation.array, try #require(try trace.tensor(.latentDeviation)).array) < Self.bar)
  }
}
