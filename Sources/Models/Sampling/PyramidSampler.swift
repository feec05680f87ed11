import Kernels
import Tensors

/// The autoregressive pyramid sampler (`pyramid_dit_for_video_gen_pipeline.py`, commit 3040d71, `generate` and
/// `generate_one_unit`; paper sections 3.2 and 3.3).
///
/// Latents of a unit are [channels, 1, height, width]. Each step is a separate function, so that it can run on recorded
/// inputs and be compared in isolation.
package struct PyramidSampler {
  let transformer: any PyramidTransformer
  let context: KernelContext
  /// The schedule of times and noise levels.
  private let schedule = PyramidFlowSchedule()

  /// Creates a sampler over a transformer.
  package init(_ transformer: any PyramidTransformer, in context: KernelContext) {
    self.transformer = transformer
    self.context = context
  }

  /// Returns the starting latent of each unit: the noise [channels, T, height, width] downsampled to the coarsest
  /// stage.
  package func startingPoints(_ noise: Tensor) -> [Tensor] {
    var coarse = noise
    for _ in 1..<PyramidFlowSchedule.stageCount { coarse = Resampling.halved(coarse).map { $0 * 2 } }
    return (0..<noise.shape[1]).map { Self.frames(coarse, $0..<$0 + 1) }
  }

  /// Returns the earlier latents as each stage sees them, coarse to fine: the newest at the stage's own size, the one
  /// before it one stage coarser, and so on, and all older ones at the coarsest size.
  ///
  /// - Returns: one list of clips per stage; empty lists for the first unit.
  package static func history(_ latents: [Tensor]) -> [[Tensor]] {
    let pyramids = latents.map(Resampling.pyramid)
    return (0..<PyramidFlowSchedule.stageCount).map { stage in
      // The newest latents are clips of their own; only at the coarsest stage does one of them have the coarsest size.
      let sizes = stage == 0 ? [0] : Array((1...stage).reversed())
      let alone = zip(pyramids.reversed(), sizes).map { $0[$1] }
      let rest = pyramids.dropLast(sizes.count).map { $0[0] }
      return (rest.isEmpty ? [] : [joined(rest)]) + alone.reversed()
    }
  }

  /// Returns the starting latent of a stage: the latent of the stage before, doubled in size, combined with block noise
  /// of the new size.
  package func enter(stage: Int, from latent: Tensor, noise: Tensor) -> Tensor {
    let (alpha, beta) = schedule.jump(stage: stage)
    return Elementwise.combine(Resampling.doubled(latent), alpha, noise, beta)
  }

  /// The number of a sample's tokens beyond which samples are computed one after the other.
  ///
  /// Those of which keys and values are kept count as well: how samples are computed must not depend on that.
  /// Products of so many rows are as fast as of twice as many, and take half the memory.
  package static let tokensTogether = 2000

  /// Returns the transformer's raw predictions, one per text.
  package func predict(
    latent: Tensor, history: [Tensor], timestep: Double, texts: [TextEmbedding],
    cached: (any CallHistory)? = nil, observer: (any ActivationObserver)? = nil
  ) throws -> [Tensor] {
    let samples = texts.map {
      TransformerSample(
        text: $0.tokens, pooled: $0.pooled, clips: history + [latent], timestep: Float(timestep))
    }
    let tokens = samples.map { $0.tokenCount(after: 0) }
    guard observer == nil, tokens.max() ?? 0 > Self.tokensTogether else {
      return try transformer(samples, history: cached, observer: observer, in: context)
    }
    return try samples.enumerated().flatMap { index, sample in
      try transformer([sample], history: cached?.starting(at: index), observer: nil, in: context)
    }
  }

  /// Creates an empty cache of keys and values for a run; see `HistoryCache`.
  package func makeCache(
    _ calls: [TransformerCall], texts: [TextEmbedding], in folder: String?, budget: Int?, reserved: Int = 0
  ) throws -> HistoryCache {
    try HistoryCache(
      calls, textCounts: texts.map { $0.tokens.shape[0] }, shape: transformer.historyShape, in: folder,
      budget: budget, reserved: reserved)
  }

  /// Applies classifier-free guidance to [negative, prompt]; a single prediction is returned unchanged.
  package func guided(_ predictions: [Tensor], scale: Float) -> Tensor {
    guard predictions.count == 2 else { return predictions[0] }
    return predictions[0].combined(with: predictions[1]) { $0 + scale * ($1 - $0) }
  }

  /// Takes the Euler step of a call, from its noise level to the next.
  package func step(_ latent: Tensor, along flow: Tensor, of call: TransformerCall) -> Tensor {
    let difference = Float(call.nextSigma - call.sigma)
    return latent.combined(with: flow) { $0 + difference * $1 }
  }

  /// Generates the latents of all units.
  ///
  /// - Parameters:
  ///   - calls: the calls of the run, from ``GenerationRequest/calls(for:)``.
  ///   - texts: the embeddings [negative, prompt], or the prompt's alone when the request has no guidance.
  ///   - initial: the noise of the whole clip, [channels, T, height, width].
  ///   - image: the latent of a given first frame [channels, 1, height, width], or nil.
  ///   - resumed: the latents of the first units, when an earlier run finished them.
  ///   - cache: the cache of keys and values of this run; nil to compute them all in every call.
  ///   - approximation: how the history's keys and values are approximated; nil to compute them for every call.
  ///   - onHistory: called before the first call of a stage, with the share of the approximation's nodes that are computed.
  ///   - onLatent: receives the latent of every stage as it ends.
  ///   - onCall: called after every computed call; an error that it throws ends the run.
  /// - Returns: the latents of all frames, including the image's.
  package func generate(
    _ calls: [TransformerCall], texts: [TextEmbedding], initial: Tensor, image: Tensor? = nil,
    resumed: [Tensor] = [], noise: any NoiseSource, cache: HistoryCache? = nil,
    approximation: HistoryApproximation? = nil,
    onHistory: (TransformerCall, Double) throws -> Void = { _, _ in },
    onLatent: (TransformerCall, Tensor) throws -> Void, onCall: (TransformerCall) throws -> Void
  ) throws -> [Tensor] {
    let starts = startingPoints(initial)
    let imageCount = image == nil ? 0 : 1
    var finished = image.map { [$0] } ?? []
    var history: [[Tensor]] = []
    var latent = initial
    var nodes: HistoryNodes?
    for call in calls {
      let isResumed = call.unit < resumed.count
      if call.startsUnit {
        latent = starts[call.unit]
        if !isResumed { history = Self.history(finished) }
      } else if call.startsStage {
        // Drawn for resumed units too, so that the next unit gets the noise of an uninterrupted run.
        let block = try noise.block(unit: call.unit, stage: call.stage, shape: call.latentShape)
        if !isResumed { latent = enter(stage: call.stage, from: latent, noise: block) }
      }
      if isResumed {
        if call.endsUnit { finished.append(resumed[finished.count - imageCount]) }
        continue
      }
      if call.startsStage, let approximation {
        nodes = try historyNodes(
          approximation, of: calls[call.index..<call.index + call.stepCount], history: history[call.stage],
          texts: texts, cache: cache, onPart: { try onHistory(call, $0) })
      }
      let cached = nodes == nil ? cache?.call(call) : nil
      let predictions = try predict(
        latent: latent, history: history[call.stage], timestep: call.timestep, texts: texts,
        cached: nodes?.interpolated(at: call.step) ?? cached)
      if let cached { cache?.finish(cached, of: call) }
      latent = step(latent, along: guided(predictions, scale: call.guidanceScale), of: call)
      // `onCall` may end the run, so the latents that the call finished are reported before it.
      if call.endsStage { try onLatent(call, latent) }
      if call.endsUnit { finished.append(latent) }
      try onCall(call)
    }
    return finished
  }

  /// Returns a range of the frames of x [channels, frames, height, width].
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

  /// Joins latents of single frames into one clip [channels, frames, height, width].
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
