import Kernels
import Tensors

/// A text as the transformer sees it.
public struct TextEmbedding {
  /// T5 embeddings without padding, [tokens, width].
  public let tokens: Tensor
  /// The pooled CLIP vector, [1, width].
  public let pooled: Tensor

  /// Gathers an embedding.
  public init(tokens: Tensor, pooled: Tensor) {
    self.tokens = tokens
    self.pooled = pooled
  }
}

/// The autoregressive pyramid sampler (`pyramid_dit_for_video_gen_pipeline.py`, commit 3040d71, `generate` and
/// `generate_one_unit`; paper sections 3.2 and 3.3).
///
/// Latents of a unit are [channels, 1, height, width]. Each step is a function of its own, so that one can be given
/// recorded inputs and compared by itself.
public struct PyramidSampler {
  private let transformer: any PyramidTransformer
  private let context: KernelContext
  /// Times and noise levels.
  public let schedule = PyramidFlowSchedule()

  /// What happens while sampling.
  public enum Event {
    /// A step ended; steps are counted from 1 over the whole clip, of whose tokens a share is done.
    case step(number: Int, of: Int, unit: Int, stage: Int, share: Double)
    /// The first so many steps, with that share of the tokens, were those of units that an earlier run finished.
    case known(steps: Int, share: Double)
    /// A stage ended with this latent.
    case stage(unit: Int, stage: Int, latent: Tensor)
  }

  /// A sampler over a transformer.
  public init(_ transformer: any PyramidTransformer, in context: KernelContext) {
    self.transformer = transformer
    self.context = context
  }

  /// Where each unit starts: the noise [channels, T, height, width] brought down to the coarsest stage.
  public func startingPoints(_ noise: Tensor) -> [Tensor] {
    var coarse = noise
    for _ in 1..<PyramidFlowSchedule.stageCount { coarse = Resampling.halved(coarse).map { $0 * 2 } }
    return (0..<noise.shape[1]).map { Self.frames(coarse, $0..<$0 + 1) }
  }

  /// The earlier latents as each stage sees them, coarse to fine: the last at the stage's own size, the one before one
  /// stage coarser, and so on, all older ones at the coarsest.
  ///
  /// - Returns: one list of clips a stage; empty lists for the first unit.
  public static func history(_ latents: [Tensor]) -> [[Tensor]] {
    let pyramids = latents.map(Resampling.pyramid)
    return (0..<PyramidFlowSchedule.stageCount).map { stage in
      // The newest latents stand alone, the coarsest size being used for one of them only at the coarsest stage.
      let sizes = stage == 0 ? [0] : Array((1...stage).reversed())
      let alone = zip(pyramids.reversed(), sizes).map { $0[$1] }
      let rest = pyramids.dropLast(sizes.count).map { $0[0] }
      return (rest.isEmpty ? [] : [joined(rest)]) + alone.reversed()
    }
  }

  /// What a stage starts from: the latent of the stage before, doubled, and block noise of the new size.
  public func enter(stage: Int, from latent: Tensor, noise: Tensor) -> Tensor {
    let (alpha, beta) = schedule.jump(stage: stage)
    return Elementwise.combine(Resampling.doubled(latent), alpha, noise, beta)
  }

  /// The transformer's raw predictions, one for each text.
  public func predict(
    latent: Tensor, history: [Tensor], timestep: Double, texts: [TextEmbedding],
    observer: (any ActivationObserver)? = nil
  ) throws -> [Tensor] {
    let samples = texts.map {
      TransformerSample(
        text: $0.tokens, pooled: $0.pooled, clips: history + [latent], timestep: Float(timestep))
    }
    return try transformer(samples, observer: observer, in: context)
  }

  /// Classifier-free guidance over [negative, prompt]; a single prediction stays as it is.
  public func guided(_ predictions: [Tensor], scale: Float) -> Tensor {
    guard predictions.count == 2 else { return predictions[0] }
    return predictions[0].combined(with: predictions[1]) { $0 + scale * ($1 - $0) }
  }

  /// One Euler step from one noise level to the next.
  public func step(_ latent: Tensor, along flow: Tensor, from sigma: Double, to next: Double) -> Tensor {
    let difference = Float(next - sigma)
    return latent.combined(with: flow) { $0 + difference * $1 }
  }

  /// Generates the latents of all units.
  ///
  /// - Parameters:
  ///   - initial: the noise of the whole clip, [channels, T, height, width].
  ///   - image: the latent of the first frame [channels, 1, height, width] when it is given, else nil.
  ///   - texts: the embeddings [negative, prompt], or the prompt's alone when the request has no guidance.
  ///   - known: the latents of the first units, when an earlier run finished them.
  ///   - onEvent: called after every step and every stage; what it throws ends the run.
  /// - Returns: the latents of all frames, the image's among them.
  public func generate(
    _ request: GenerationRequest, texts: [TextEmbedding], initial: Tensor, image: Tensor? = nil,
    known: [Tensor] = [], noise: any NoiseSource, onEvent: (Event) throws -> Void
  ) throws -> [Tensor] {
    let starts = startingPoints(initial)
    let work = Self.tokens(request, text: texts.map { $0.tokens.shape[0] }.max() ?? 0)
    let allWork = Double(max(work.reduce(0) { $0 + $1.reduce(0, +) }, 1))
    var (done, doneWork) = (0, 0)
    var finished = image.map { [$0] } ?? []
    for (position, unit) in request.units.enumerated() {
      if position < known.count {
        try skip(unit, from: starts[unit.index], noise)
        finished.append(known[position])
        done += unit.steps.reduce(0, +)
        doneWork += work[position].reduce(0, +)
        try onEvent(.known(steps: done, share: Double(doneWork) / allWork))
        continue
      }
      let history = Self.history(finished)
      var latent = starts[unit.index]
      for stage in 0..<PyramidFlowSchedule.stageCount {
        if stage > 0 {
          let shape = [initial.shape[0], 1, 2 * latent.shape[2], 2 * latent.shape[3]]
          latent = enter(
            stage: stage, from: latent, noise: try noise.block(unit: unit.index, stage: stage, shape: shape))
        }
        let sigmas = schedule.sigmas(count: unit.steps[stage])
        for (index, time) in schedule.timesteps(stage: stage, count: unit.steps[stage]).enumerated() {
          let predictions = try predict(latent: latent, history: history[stage], timestep: time, texts: texts)
          latent = step(
            latent, along: guided(predictions, scale: unit.guidanceScale), from: sigmas[index],
            to: sigmas[index + 1])
          // A step may be the last that is told of; by then what it finished is known.
          if index == unit.steps[stage] - 1 {
            try onEvent(.stage(unit: unit.index, stage: stage, latent: latent))
          }
          done += 1
          doneWork += work[position][stage] / unit.steps[stage]
          try onEvent(
            .step(
              number: done, of: request.stepCount, unit: unit.index, stage: stage,
              share: Double(doneWork) / allWork))
        }
      }
      finished.append(latent)
    }
    return finished
  }

  /// The tokens of all calls, by unit and stage; time goes about as they do.
  private static func tokens(_ request: GenerationRequest, text: Int) -> [[Int]] {
    request.units.enumerated().map { position, unit in
      unit.steps.enumerated().map { stage, steps in
        steps * (text + request.latentTokens(unit: position, stage: stage))
      }
    }
  }

  /// Draws what noise a unit takes, so that the next one starts where it would have.
  private func skip(_ unit: GenerationRequest.Unit, from start: Tensor, _ noise: any NoiseSource) throws {
    var shape = start.shape
    for stage in 1..<PyramidFlowSchedule.stageCount {
      shape = [shape[0], 1, 2 * shape[2], 2 * shape[3]]
      _ = try noise.block(unit: unit.index, stage: stage, shape: shape)
    }
  }

  /// A range of the frames of [channels, frames, height, width].
  private static func frames(_ x: Tensor, _ range: Range<Int>) -> Tensor {
    let pixels = x.shape[2] * x.shape[3]
    let result = Tensor([x.shape[0], range.count, x.shape[2], x.shape[3]])
    for channel in 0..<x.shape[0] {
      let source = (channel * x.shape[1] + range.lowerBound) * pixels
      let target = channel * range.count * pixels
      _ = result.elements[target...].update(
        fromContentsOf: x.elements[source..<source + range.count * pixels])
    }
    return result
  }

  /// Latents of single frames as one clip [channels, frames, height, width].
  private static func joined(_ latents: [Tensor]) -> Tensor {
    if latents.count == 1 { return latents[0] }
    let (channels, height, width) = (latents[0].shape[0], latents[0].shape[2], latents[0].shape[3])
    let pixels = height * width
    let result = Tensor([channels, latents.count, height, width])
    for (frame, latent) in latents.enumerated() {
      for channel in 0..<channels {
        let target = (channel * latents.count + frame) * pixels
        _ = result.elements[target...].update(
          fromContentsOf: latent.elements[channel * pixels..<(channel + 1) * pixels])
      }
    }
    return result
  }
}
