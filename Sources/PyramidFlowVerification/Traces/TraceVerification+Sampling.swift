import Models
import Parity
import Tensors

extension TraceVerification {
  /// Compares every recorded call: our own inputs, made from the golden's earlier values, and our prediction from the
  /// golden's inputs.
  ///
  /// Each stage continues from the golden's own latent.
  ///
  /// - Parameter comparesSchedule: whether the times of stages are compared as well.
  mutating func verifySampling(withSchedule comparesSchedule: Bool) throws {
    guard trace.request.mode != "vae" else { return }
    let transformer = try parts.transformer(variant: try parts.native.variant(options.variant))
    let inputs = transformer.inputs
    guard let texts = try trace.texts(request, for: inputs) else { return }
    let calls = try request.calls(for: inputs)
    let sampler = PyramidSampler(transformer, in: parts.context)
    let noise = [inputs.latentChannels, request.latentFrames, request.latentHeight, request.latentWidth]
    let starts = try trace.tensor(.initialNoise, shape: [1] + noise).map {
      sampler.startingPoints($0.reshaped(noise))
    }
    try onEvent(.began(trace: trace.path))
    var finished: [Tensor] = []
    if request.startsFromImage {
      guard let image = try recordedImageLatent(channels: inputs.latentChannels) else { return }
      finished = [image]
    }
    var history: [[Tensor]] = []
    var latent: Tensor?
    if options.sample != .all || options.part != nil { report.callsInRun = calls.count }
    let clock = ContinuousClock()
    let start = clock.now
    let own = options.part.map { Set($0.part(of: Array(calls.indices))) }
    var chosen = own ?? options.sample.chosen(of: calls, firstTook: nil)
    let approximation = try request.approximation.historyNodes.map {
      try sampler.makeApproximation(nodes: $0, calls, texts: texts)
    }
    var nodes: HistoryNodes?
    for call in calls {
      if call.startsUnit {
        history = PyramidSampler.history(finished)
        latent = starts?[call.unit]
      } else if call.startsStage, let before = latent {
        latent = try entered(sampler, call, from: before)
      }
      slot = 3 * call.index
      if call.startsStage {
        if comparesSchedule { try verifySchedule(call) }
        nodes = nil
      }
      slot += 1
      if chosen.contains(call.index) {
        latent = try verify(sampler, call, latent: latent, history: history[call.stage], texts: texts) {
          guard let approximation else { return nil }
          let stage = calls[call.index - call.step..<call.index - call.step + call.stepCount]
          nodes =
            try nodes ?? sampler.historyNodes(approximation, of: stage, history: $0, texts: texts)
          return nodes?.interpolated(at: call.step)
        }
      } else {
        // What other parts compare goes on from the golden's values as well.
        latent =
          options.part == nil
          ? nil : try recorded(call, texts: texts.count).map { advanced(sampler, call, by: $0) }
      }
      slot += 1
      if call.index == 0, own == nil {
        chosen = options.sample.chosen(of: calls, firstTook: (clock.now - start) / .seconds(1))
      }
      try Task.checkCancellation()
      try onEvent(.compared(call: call.index + 1, of: calls.count))
      if call.endsStage {
        latent = try verifyLatent(call, computed: latent, isCompared: chosen.contains(call.index))
      }
      if call.endsUnit {
        guard let latent else { return }
        finished.append(latent)
      }
    }
  }

  /// Returns the starting latent of a stage, or nil when its noise was not recorded.
  private func entered(
    _ sampler: PyramidSampler, _ call: TransformerCall, from latent: Tensor
  ) throws -> Tensor? {
    let path = TracePath.blockNoise(unit: call.unit, stage: call.stage)
    return try trace.tensor(path, shape: [1] + call.latentShape).map {
      sampler.enter(stage: call.stage, from: latent, noise: $0.reshaped(call.latentShape))
    }
  }

  private mutating func verifySchedule(_ call: TransformerCall) throws {
    let schedule = PyramidFlowSchedule(rounding: request.scheduleRounding)
    let times = schedule.timesteps(stage: call.stage, count: call.stepCount).map(Float.init)
    let sigmas = schedule.sigmas(count: call.stepCount).map(Float.init)
    for (path, values) in [
      (TracePath.timesteps(unit: call.unit, stage: call.stage), times),
      (TracePath.sigmas(unit: call.unit, stage: call.stage), sigmas),
    ] {
      if let golden = try trace.tensor(path) { try compare(path, Tensor([values.count], values), golden) }
    }
  }

  /// Compares one call's inputs and prediction, and takes the Euler step with the golden's prediction.
  ///
  /// - Parameter approximated: returns the approximated keys and values of the golden's history; nil for exact ones.
  /// - Returns: the latent after the step, or nil when it does not follow from what was recorded.
  private mutating func verify(
    _ sampler: PyramidSampler, _ call: TransformerCall, latent: Tensor?, history: [Tensor],
    texts: [TextEmbedding], approximated: ([Tensor]) throws -> (any CallHistory)?
  ) throws -> Tensor? {
    let step = call.traced
    if let golden = try trace.tensor(.timestep(step), shape: [texts.count]) {
      let ours = Tensor(golden.shape, Array(repeating: Float(call.timestep), count: golden.count))
      try compare(.timestep(step), ours, golden)
    }
    for (index, ours) in (history + (latent.map { [$0] } ?? [])).enumerated() {
      guard let golden = try trace.tensor(.input(step, index), shape: [texts.count] + ours.shape) else {
        break
      }
      try compare(.input(step, index), Tensor.concatenated(texts.map { _ in ours }), golden)
    }
    guard let recorded = try recorded(call, texts: texts.count) else { return nil }
    let past = recorded.history
    let known = try approximated(past)
    // Activations are of all tokens, of which an approximation computes the latent's only.
    let observer =
      known == nil
      ? ActivationComparison(trace, call: call.index, threshold: thresholds.teacherForced) : nil
    let predictions = try sampler.predict(
      latent: recorded.latent, history: past, timestep: call.timestep, texts: texts, cached: known,
      observer: observer)
    for result in try observer?.finish() ?? [] { try add(result) }
    report.callsCompared += 1
    try compare(.prediction(step), .concatenated(predictions), recorded.prediction)
    return advanced(sampler, call, by: recorded)
  }

  /// What was recorded of a call: its inputs, and the predictions [texts, channels, 1, height, width].
  private typealias RecordedCall = (history: [Tensor], latent: Tensor, prediction: Tensor)

  /// Returns what was recorded of a call, or nil when that is not all of it.
  private func recorded(_ call: TransformerCall, texts count: Int) throws -> RecordedCall? {
    guard let inputs = try trace.inputs(of: call, texts: count), let latent = inputs.last,
      let prediction = try trace.tensor(.prediction(call.traced), shape: [count] + call.latentShape)
    else { return nil }
    return (Array(inputs.dropLast()), latent, prediction)
  }

  /// Returns the latent after a call by its recorded predictions.
  private func advanced(
    _ sampler: PyramidSampler, _ call: TransformerCall, by recorded: RecordedCall
  ) -> Tensor {
    let flows = (0..<recorded.prediction.shape[0]).map {
      recorded.prediction.rows($0..<$0 + 1).reshaped(call.latentShape)
    }
    return sampler.step(
      recorded.latent, along: sampler.guided(flows, scale: call.guidanceScale), of: call)
  }

  /// Compares a stage's latent with the golden's, and returns the golden's where it was recorded.
  private mutating func verifyLatent(
    _ call: TransformerCall, computed: Tensor?, isCompared: Bool
  ) throws -> Tensor? {
    let path = TracePath.latent(unit: call.unit, stage: call.stage)
    guard let golden = try trace.tensor(path, shape: [1] + call.latentShape) else { return computed }
    if let computed, isCompared { try compare(path, computed, golden) }
    return golden.reshaped(call.latentShape)
  }

  /// Returns the latent of the image that the recorded run started from, or nil when it was not recorded.
  func recordedImageLatent(channels: Int) throws -> Tensor? {
    let shape = request.latentShape(stage: PyramidFlowSchedule.stageCount - 1, channels: channels)
    func recorded(_ path: TracePath) throws -> Tensor? {
      try trace.tensor(path, shape: [1] + shape)?.reshaped(shape)
    }
    guard let mean = try recorded(.latentMean), let deviation = try recorded(.latentDeviation),
      let noise = try recorded(.posteriorNoise)
    else { return nil }
    return parts.family.latentNormalization.imageLatent(mean: mean, deviation: deviation, noise: noise)
  }
}
