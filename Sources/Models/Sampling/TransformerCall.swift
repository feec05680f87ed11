import Files
import Tensors

/// One call of the transformer in a run, with all its properties that do not depend on tensor values.
///
/// Generation, verification, calibration and benchmarks all walk the same sequence of calls,
/// ``GenerationRequest/calls(for:)``.
public struct TransformerCall: Equatable, Sendable {
  /// The position in the run, from 0.
  public let index: Int
  /// The unit, from 0: the latent frame that is generated.
  public let unit: Int
  /// The pyramid stage, from 0 (coarse) to 2 (fine).
  public let stage: Int
  /// The step in the stage, from 0.
  public let step: Int
  /// The number of steps in the stage.
  public let stepCount: Int
  /// The time passed to the transformer; 1000 is pure noise.
  public let timestep: Double
  /// The noise levels before and after the step.
  public let sigma: Double, nextSigma: Double
  /// The guidance scale, where guidance is used.
  public let guidanceScale: Float
  /// The shape of the noisy latent, [channels, 1, height, width].
  public let latentShape: Shape
  /// The shapes of the earlier latents as this stage sees them; see ``PyramidSampler/history(_:)``.
  public let historyShapes: [Shape]

  /// Whether the call is the first of its unit.
  public var startsUnit: Bool { stage == 0 && step == 0 }
  /// Whether the call is the first of its stage.
  public var startsStage: Bool { step == 0 }
  /// Whether the call is the last of its stage.
  public var endsStage: Bool { step == stepCount - 1 }
  /// Whether the call is the last of its unit.
  public var endsUnit: Bool { endsStage && stage == PyramidFlowSchedule.stageCount - 1 }

  /// The number of earlier latents that are at the coarsest size, which all stand before the others.
  var coarseFrames: Int {
    let coarse = coarseExtents
    return historyShapes.prefix { Array($0.suffix(2)) == coarse }.reduce(0) { $0 + $1[1] }
  }

  /// The number of tokens of a latent at the coarsest size.
  var coarseFrameTokens: Int { coarseExtents.reduce(1, *) / (Patches.side * Patches.side) }

  /// The height and width of a latent at the coarsest size.
  private var coarseExtents: [Int] { latentShape.suffix(2).map { $0 >> stage } }

  /// The number of latent tokens in one sample, without text tokens.
  public var latentTokens: Int { historyShapes.reduce(noisyTokens) { $0 + Self.tokens($1) } }

  /// The number of tokens of the noisy latent in one sample.
  var noisyTokens: Int { Self.tokens(latentShape) }

  private static func tokens(_ shape: Shape) -> Int {
    shape.dropFirst().reduce(1, *) / (Patches.side * Patches.side)
  }
}

extension GenerationRequest {
  /// Returns all calls of a run in order of computation.
  ///
  /// - Parameter inputs: the inputs that the transformer expects; their channels give the shapes.
  /// - Throws: ``BenbenError`` when the request is invalid or the clip is larger than the transformer's positions
  ///   reach.
  package func calls(for inputs: TransformerInputs) throws -> [TransformerCall] {
    let request = try validated()
    try request.requireFits(inputs)
    let schedule = PyramidFlowSchedule(rounding: scheduleRounding)
    var calls: [TransformerCall] = []
    for (position, unit) in request.units.enumerated() {
      let finished = position + (startsFromImage ? 1 : 0)
      for (stage, count) in unit.steps.enumerated() {
        let sigmas = schedule.sigmas(count: count)
        let history = historyShapes(after: finished, stage: stage, channels: inputs.latentChannels)
        for (step, timestep) in schedule.timesteps(stage: stage, count: count).enumerated() {
          calls.append(
            TransformerCall(
              index: calls.count, unit: unit.index, stage: stage, step: step, stepCount: count,
              timestep: timestep, sigma: sigmas[step], nextSigma: sigmas[step + 1],
              guidanceScale: unit.guidanceScale,
              latentShape: latentShape(stage: stage, channels: inputs.latentChannels),
              historyShapes: history))
        }
      }
    }
    return calls
  }

  private func requireFits(_ inputs: TransformerInputs) throws {
    guard max(width, height) <= inputs.maximumSide else {
      throw BenbenError(
        .usage, "this size cannot be generated", at: "\(width)×\(height)",
        because: "this transformer's positions reach to \(inputs.maximumSide) pixels",
        remedies: ["Take sides of at most \(inputs.maximumSide / Self.sizeMultiple * Self.sizeMultiple)."])
    }
  }

  /// Returns the shape of one latent frame at a stage, [channels, 1, height, width].
  package func latentShape(stage: Int, channels: Int) -> Shape {
    let halvings = PyramidFlowSchedule.stageCount - 1 - stage
    return [channels, 1, latentHeight >> halvings, latentWidth >> halvings]
  }

  /// Returns the shapes of `finished` earlier latents as a stage sees them: the newest separate, from one size above
  /// the coarsest up to the stage's own, and all older ones joined at the coarsest size.
  private func historyShapes(after finished: Int, stage: Int, channels: Int) -> [Shape] {
    let sizes = stage == 0 ? [0] : Array(1...stage)
    let alone = sizes.suffix(finished)
    let rest = finished - alone.count
    var joined = latentShape(stage: 0, channels: channels)
    joined[1] = rest
    return (rest > 0 ? [joined] : []) + alone.map { latentShape(stage: $0, channels: channels) }
  }

  /// Returns the number of latent tokens in a run's longest call, without text tokens.
  package func longestLatentTokens() -> Int {
    let finest = PyramidFlowSchedule.stageCount - 1
    let history = historyShapes(after: latentFrames - 1, stage: finest, channels: 1)
    return (history + [latentShape(stage: finest, channels: 1)]).reduce(0) {
      $0 + $1.reduce(1, *) / (Patches.side * Patches.side)
    }
  }
}
