import Clips
import Models
import Tensors

extension Pipeline {
  /// The number of latent tokens of the call that is measured: enough for the speed of long calls, and done within a minute
  /// on a small machine.
  private static let measuredTokens = 900
  /// The side of the latent that is decoded to measure the decoder, and the most latent frames of it.
  private static let measuredSide = 16, measuredFrames = 3

  /// Estimates how long a run takes, by running a part of each phase.
  ///
  /// - Parameters:
  ///   - image: the first frame, when the request starts from one.
  ///   - onEvent: receives the phases as they begin and end.
  /// - Returns: the number of calls, and the seconds of each phase.
  func measure(
    _ request: GenerationRequest, image: Clip?, onEvent: (GenerationEvent) throws -> Void
  ) throws -> (calls: Int, seconds: [GenerationEvent.Phase: Double]) {
    var seconds: [GenerationEvent.Phase: Double] = [:]
    func phase<Result>(_ phase: GenerationEvent.Phase, _ body: () throws -> Result) throws -> Result {
      try Task.checkCancellation()
      try onEvent(.began(phase))
      let start = ContinuousClock.now
      let result = try body()
      seconds[phase] = (ContinuousClock.now - start) / .seconds(1)
      try onEvent(.ended(phase))
      return result
    }
    let transformer = try parts.transformer(variant: variant)
    let calls = try request.calls(for: transformer.inputs)
    let vae = try parts.vae()
    let texts = try phase(.texts) { try embeddings(request, onEvent: onEvent) }
    if let image {
      _ = try phase(.image) { try vae.encode(image.encoderInput, isTiled: true, in: parts.context) }
    }
    seconds[.latents] = try phase(.latents) {
      try measureCalls(calls, of: request, with: transformer, texts: texts)
    }
    seconds[.decoding] = try phase(.decoding) { try measureDecoder(vae, request) }
    return (calls.count, seconds)
  }

  /// Returns the time of all calls, from that of one.
  private func measureCalls(
    _ calls: [TransformerCall], of request: GenerationRequest, with transformer: any PyramidTransformer,
    texts: [TextEmbedding]
  ) throws -> Double? {
    let sampler = PyramidSampler(transformer, in: parts.context)
    let noise = SeededNoise(seed: 0)
    func measure(_ call: TransformerCall) throws -> Double {
      let (latent, history) = (
        try noise.initial(shape: call.latentShape), try call.historyShapes.map(noise.initial(shape:))
      )
      let start = ContinuousClock.now
      _ = try sampler.predict(latent: latent, history: history, timestep: call.timestep, texts: texts)
      try Task.checkCancellation()
      return (ContinuousClock.now - start) / .seconds(1)
    }
    func distance(_ call: TransformerCall) -> Int { abs(call.latentTokens - Self.measuredTokens) }
    guard let smallest = calls.min(by: { $0.latentTokens < $1.latentTokens }),
      let typical = calls.min(by: { distance($0) < distance($1) })
    else { return nil }
    // The first call also reads the weights.
    let opening = try measure(smallest)
    let one = try measure(typical)
    let estimate = try workEstimate(texts)
    let work = estimate.work(
      of: calls, reusesHistory: historyCaching != .off, historyNodes: request.approximation.historyNodes)
    return opening + one * work.reduce(0, +) / estimate.work(of: [typical], reusesHistory: false)[0]
  }

  /// Returns the time of decoding the clip, from that of a small one.
  private func measureDecoder(_ vae: CausalVideoVAE, _ request: GenerationRequest) throws -> Double? {
    let side = min(Self.measuredSide, request.latentHeight, request.latentWidth)
    let latent = try SeededNoise(seed: 0).initial(
      shape: [vae.config.latentChannels, min(Self.measuredFrames, request.latentFrames), side, side])
    let tiling = request.vaeTiling.tiling
    let start = ContinuousClock.now
    var ends: [(latents: Int, time: ContinuousClock.Instant)] = []
    try vae.decode(latent, tiling: tiling, in: parts.context) { latents, _ in
      try Task.checkCancellation()
      ends.append((latents, .now))
    } onPart: { _ in
    }
    guard let opening = ends.first, let last = ends.last else { return nil }
    let first = (opening.time - start) / .seconds(1)
    let later = (last.time - opening.time) / .seconds(1) / Double(max(1, last.latents - opening.latents))
    let left = Double(request.latentFrames - 1)
    let area = CausalVideoVAE.decodedArea(
      height: request.latentHeight, width: request.latentWidth, tiling: tiling)
    return (first + left * later) * Double(area) / Double(side * side)
  }
}
