import Clips
import Files
import Foundation
import JSON
import Tensors
import TestSupport
import Testing

@testable import Parity

struct TracePathTests {
  private static let step = TracePath.Step(unit: 2, stage: 1, step: 10)

  @Test(arguments: [
    (TracePath.tokens(.prompt, .clip2), "text/prompt/clip2_ids", "text/clip2_ids"),
    (.textEmbedding(.negative), "text/negative/t5_embeds", "text/t5_embeds"),
    (.sigmas(unit: 0, stage: 2), "scheduler/unit0/stage2/sigmas", "scheduler/sigmas"),
    (.input(step, 3), "dit/unit2/stage1/step10/input3", "dit/input"),
    (.prediction(step), "dit/unit2/stage1/step10/prediction", "dit/prediction"),
    (.latent(unit: 1, stage: 0), "latents/unit1/stage0", "latents"),
    (.activation(call: 5, module: "proj_out", output: 0), "activations/call5/proj_out/0", "activations"),
    (.decoderOutput, "vae/output", "vae/output"), (.frames, "frames", "frames"),
  ])
  func isSpelledAsInTheFile(path: TracePath, text: String, kind: String) {
    #expect(path.description == text)
    #expect(TracePath.kind(of: text) == kind)
  }

  /// Every path that a recorded trace holds is spelled by some case.
  @Test func everyRecordedPathHasItsCase() throws {
    let file = try HDF5File(path: Fixtures.trace("i2v"))
    for path in [
      TracePath.image, .encoderInput, .latentMean, .latentDeviation, .posteriorNoise, .initialNoise,
      .blockNoise(unit: 0, stage: 1), .decoderInput, .decoderOutput, .frames, .pooledText(.prompt),
      .timestep(.init(unit: 0, stage: 0, step: 0)), .timesteps(unit: 0, stage: 0),
    ] { #expect(file.shape(of: path.description) != nil, "\(path)") }
  }
}
