import Files
import Foundation
import JSON
import Kernels
import Tensors
import Testing

@testable import Models

struct SamplingTests {
  @Test func scheduleIsTheOfficialOne() {
    // Read off the official scheduler (NumPy 1.26): set_timesteps(4, stage).
    let schedule = PyramidFlowSchedule()
    let expected = [
      [1000.0, 914.752, 829.504, 744.256], [744.0, 624.786, 505.572, 386.358],
      [386.0, 257.795, 129.59, 1.385],
    ]
    for stage in 0..<3 {
      for (time, official) in zip(schedule.timesteps(stage: stage, count: 4), expected[stage]) {
        #expect(abs(time - official) < 1e-9)
      }
    }
    #expect(schedule.timesteps(stage: 1, count: 1) == [schedule.timesteps(stage: 1, count: 9)[0]])
    let sigmas = schedule.sigmas(count: 3)
    #expect(sigmas.count == 4 && sigmas[0] == 1 && sigmas[3] == 0)
    #expect(abs(sigmas[2] - 0.001) < 1e-12)
  }

  /// `np.linspace` of 0-d f32 as NumPy 2.4 computes it, rounded to f32 as traces hold the times.
  @Test func scheduleOfNumPy2IsTheOfficialOne() {
    let schedule = PyramidFlowSchedule(rounding: .numpy2)
    let expected: [[Float]] = [
      [1000.0, 936.06396484375, 872.1279907226562, 808.1920166015625, 744.2559814453125],
      [744.0, 654.5894775390625, 565.1790161132812, 475.76849365234375, 386.3580017089844],
      [386.0, 289.84625244140625, 193.6925048828125, 97.53875732421875, 1.385009765625],
    ]
    for stage in 0..<3 {
      #expect(schedule.timesteps(stage: stage, count: 5).map(Float.init) == expected[stage])
    }
    #expect(PyramidFlowSchedule().timesteps(stage: 2, count: 5).map(Float.init) != expected[2])
  }

  private static func latents(_ count: Int) -> [Tensor] {
    (0..<count).map { Tensor([1, 1, 8, 8], Array(repeating: Float($0), count: 64)) }
  }

  /// Sizes and the latent that each clip starts with, as the official loop builds them.
  @Test(
    arguments: [
      (1, [[(2, [0])], [(4, [0])], [(8, [0])]]),
      (2, [[(2, [0]), (2, [1])], [(2, [0]), (4, [1])], [(4, [0]), (8, [1])]]),
      (3, [[(2, [0, 1]), (2, [2])], [(2, [0, 1]), (4, [2])], [(2, [0]), (4, [1]), (8, [2])]]),
      (
        5,
        [
          [(2, [0, 1, 2, 3]), (2, [4])], [(2, [0, 1, 2, 3]), (4, [4])],
          [(2, [0, 1, 2]), (4, [3]), (8, [4])],
        ]
      ),
    ] as [(Int, [[(Int, [Int])]])])
  func historyGoesFromCoarseToFine(count: Int, expected: [[(Int, [Int])]]) {
    let history = PyramidSampler.history(Self.latents(count))
    for (stage, clips) in history.enumerated() {
      #expect(clips.map { $0.shape[2] } == expected[stage].map(\.0))
      for (clip, frames) in zip(clips, expected[stage].map(\.1)) {
        let pixels = clip.shape[2] * clip.shape[3]
        #expect((0..<clip.shape[1]).map { Int(clip.elements[$0 * pixels]) } == frames)
      }
    }
  }

  @Test func positionsOfCoarseFramesLieOnTheFineGrid() {
    #expect(RotaryPositions.interpolated(4, to: 4) == [0, 1, 2, 3])
    #expect(RotaryPositions.interpolated(4, to: 2) == [0.5, 2.5])
    #expect(RotaryPositions.interpolated(8, to: 2) == [1.5, 5.5])
  }

  /// `PatchEmbed3D.cropped_pos_embed` with interpolated conditions: the middle of the table, brought down bilinearly.
  @Test func positionsComeFromTheMiddleOfTheTable() throws {
    let side = 8
    let table = FixedWeights(
      values: (0..<side * side).flatMap { [Float($0 / side), Float($0 % side)] }, shape: [1, side * side, 2])
    let positions = try SinCosPositions(side: side, width: 2, WeightScope(table))
    let rows = positions([
      ClipExtents(frames: 2, height: 1, width: 2), ClipExtents(frames: 1, height: 2, width: 4),
    ])
    #expect(rows.shape == [12, 2])
    let coarse: [Float] = [3.5, 2.5, 3.5, 4.5]
    #expect(Array(rows.array[..<8]) == coarse + coarse)
    #expect(Array(rows.array[8...]) == [3, 2, 3, 3, 3, 4, 3, 5, 4, 2, 4, 3, 4, 4, 4, 5])
  }

  @Test func imageToVideoGeneratesAllButTheFirstFrame() {
    var request = GenerationRequest(
      prompt: "", width: 64, height: 64, latentFrames: 3, steps: [1, 2, 3], videoSteps: [4, 5, 6],
      guidanceScale: 7, videoGuidanceScale: 4)
    #expect(request.units.map(\.steps) == [[1, 2, 3], [4, 5, 6], [4, 5, 6]])
    #expect(request.units.map(\.guidanceScale) == [7, 4, 4] && request.stepCount == 36)
    request.startsFromImage = true
    #expect(request.units.map(\.steps) == [[1, 2, 3], [1, 2, 3]])
    #expect(request.units.map(\.index) == [0, 1] && request.units.map(\.guidanceScale) == [4, 4])
    request.latentFrames = 1
    #expect(throws: BenbenError.self) { try request.validated() }
  }

  @Test func textSeesTextAndTheFirstFrame() {
    let clips = [ClipExtents(frames: 2, height: 1, width: 2), ClipExtents(frames: 1, height: 2, width: 4)]
    let layout = BatchLayout(textCounts: [5, 3], clips: clips, axes: [16, 24, 24])
    #expect(
      layout.attentionBlocks(sample: 0) == [
        .init(queries: 0..<7, keys: 7), .init(queries: 7..<9, keys: 9), .init(queries: 9..<17, keys: 17),
      ])
    #expect(layout.attentionBlocks(sample: 1).last == .init(queries: 7..<15, keys: 15))
  }

  @Test func halvesAndDoubles() {
    let latent = Tensor([1, 1, 2, 2], [1, 2, 3, 6])
    #expect(Resampling.halved(latent).array == [3])
    #expect(Resampling.doubled(Tensor([1, 1, 1, 2], [1, 2])).array == [1, 1, 2, 2, 1, 1, 2, 2])
  }

  @Test(arguments: [(65, 64, 1), (64, 0, 1), (64, 64, 0), (64, 64, 32), (16384, 64, 1)])
  func refusesImpossibleRequests(width: Int, height: Int, frames: Int) {
    let request = GenerationRequest(
      prompt: "", width: width, height: height, latentFrames: frames, steps: [1, 1, 1],
      videoSteps: [1, 1, 1],
      guidanceScale: 7, videoGuidanceScale: 5)
    #expect(throws: BenbenError.self) { try request.validated() }
  }

  @Test func t5BucketsAreTheOfficialOnes() throws {
    let config = try T5Config(
      json: [
        "vocab_size": 8, "d_model": 4, "d_kv": 2, "num_heads": 2, "d_ff": 4, "num_layers": 1,
        "feed_forward_proj": "gated-gelu",
      ], component: "t5")
    let encoder = try T5Encoder(config, WeightScope(WeightRecorder()))
    // `T5Attention._relative_position_bucket` of transformers 4.46.3.
    let distances = [-200, -128, -64, -17, -16, -9, -8, -7, -1, 0, 1, 7, 8, 12, 16, 32, 127, 500]
    let official = [15, 15, 14, 10, 10, 8, 8, 7, 1, 0, 17, 23, 24, 25, 26, 28, 31, 31]
    #expect(distances.map(encoder.bucket(distance:)) == official)
  }
}

/// One weight with given values, whatever is asked for.
private struct FixedWeights: WeightSource {
  let values: [Float]
  let shape: Shape

  func weight(_ declaration: WeightDeclaration) throws -> Weight {
    let path = NSTemporaryDirectory() + "benben-weight-" + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    let data = values.withUnsafeBytes { Data($0) }
    try data.write(to: URL(fileURLWithPath: path))
    let weight = Weight(
      name: declaration.name, shape: shape, type: .f32, file: try MappedFile(path: path),
      range: 0..<data.count)
    return try #require(weight)
  }
}
