import Kernels
import Tensors

/// The autoregressive pyramid sampler (`pyramid_dit_for_video_gen_pipeline.py`, commit 3040d71, `generate` and
/// `generate_one_unit`; paper sections 3.2 and 3.3).
///
/// Latents of a unit are [channels, 1, height, width]. Each step is a function of its own, so that one can be given
/// recorded inputs and compared by itself.
package struct PyramidSampler {
  private let transformer: any PyramidTransformer
  private let context: KernelContext
  /// Times and noise levels.
  package let schedule = PyramidFlowSchedule()

  /// A sampler over a transformer.
  package init(_ transformer: any PyramidTransformer, in context: KernelContext) {
    self.transformer = transformer
    self.context = context
  }

  /// Where each unit starts: the noise [channels, T, height, width] brought down to the coarsest stage.
  package func startingPoints(_ noise: Tensor) -> [Tensor] {
    var coarse = noise
    for _ in 1..<PyramidFlowSchedule.stageCount { coarse = Resampling.halved(coarse).map { $0 * 2 } }
    return (0..<noise.shape[1]).map { Self.frames(coarse, $0..<$0 + 1) }
  }

  /// The earlier latents as each stage sees them, coarse to fine: the last at the stage's own size, the one before one
  /// stage coarser, and so on, all older ones at the coarsest.
  ///
  /// - Returns: one list of clips a stage; empty lists for the first unit.
  package static func history(_ latents: [Tensor]) -> [[Tensor]] {
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
  package func enter(stage: Int, from latent: Tensor, noise: Tensor) -> Tensor {
    let (alpha, beta) = schedule.jump(stage: stage)
    return Elementwise.combine(Resampling.doubled(latent), alpha, noise, beta)
  }

  /// The transformer's raw predictions, one for each text.
  package func predict(
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
  package func guided(_ predictions: [Tensor], scale: Float) -> Tensor {
    guard predictions.count == 2 else { return predictions[0] }
    return predictions[0].combined(with: predictions[1]) { $0 + scale * ($1 - $0) }
  }

  /// The Euler step of a call, from its noise level to the next.
  package func step(_ latent: Tensor, along flow: Tensor, of call: TransformerCall) -> Tensor {
    let difference = Float(call.nextSigma - call.sigma)
    return latent.combined(with: flow) { $0 + difference * $1 }
  }

  /// Generates the latents of all units.
  ///
  /// - Parameters:
  ///   - calls: the calls of the run, ``GenerationRequest/calls(for:)``.
  ///   - texts: the embeddings [negative, prompt], or the prompt's alone when the request has no guidance.
  ///   - initial: the noise of the whole clip, [channels, T, height, width].
  ///   - image: the latent of a given first frame [channels, 1, height, width], or nil.
  ///   - resumed: the latents of the first units, when an earlier run finished them.
  ///   - onLatent: receives the latent of every stage as it ends.
  ///   - onCall: called after every call that was computed; what it throws ends the run.
  /// - Returns: the latents of all frames, the image's among them.
  package func generate(
    _ calls: [TransformerCall], texts: [TextEmbedding], initial: Tensor, image: Tensor? = nil,
    resumed: [Tensor] = [], noise: any NoiseSource,
    onLatent: (TransformerCall, Tensor) throws -> Void, onCall: (TransformerCall) throws -> Void
  ) throws -> [Tensor] {
    let starts = startingPoints(initial)
    let imageCount = image == nil ? 0 : 1
    var finished = image.map { [$0] } ?? []
    var history: [[Tensor]] = []
    var latent = initial
    for call in calls {
      let isResumed = call.unit < resumed.count
      if call.startsUnit {
        latent = starts[call.unit]
        if !isResumed { history = Self.history(finished) }
      } else if call.startsStage {
        // Drawn for resumed units too, so that the next one starts where it would have.
        let block = try noise.block(unit: call.unit, stage: call.stage, shape: call.latentShape)
        if !isResumed { latent = enter(stage: call.stage, from: latent, noise: block) }
      }
      if isResumed {
        if call.endsUnit { finished.append(resumed[finished.count - imageCount]) }
        continue
      }
      let predictions = try predict(
        latent: latent, history: history[call.stage], timestep: call.timestep, texts: texts)
      latent = step(latent, along: guided(predictions, scale: call.guidanceScale), of: call)
      // A call may be the last that is reported; by then what it finished is known.
      if call.endsStage { try onLatent(call, latent) }
      if call.endsUnit { finished.append(latent) }
      try onCall(call)
    }
    return finished
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
