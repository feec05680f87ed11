import Models
import Parity
import Tensors

/// Calls of the transformer that a golden trace holds, with their inputs and the official prediction.
struct RecordedCalls {
  /// One call.
  struct Call {
    let latent: Tensor
    let history: [Tensor]
    let timestep: Double
    /// [texts, channels, 1, height, width].
    let prediction: Tensor
  }

  /// [negative, prompt], or the prompt alone without guidance.
  let texts: [TextEmbedding]
  /// In order of computation.
  let calls: [Call]

  /// Reads at most `limit` calls, spread evenly over the run.
  ///
  /// - Throws: ``BenbenError`` when the trace holds none for this transformer.
  init(_ trace: GoldenTrace, request: GenerationRequest, inputs: TransformerInputs, limit: Int) throws {
    guard let texts = try TraceRequest.texts(trace, request) else { throw Self.nothing(trace) }
    try TraceRequest.require(texts, fit: inputs, trace)
    let places = Self.places(request)
    let count = min(limit, places.count)
    self.texts = texts
    calls = try (0..<count).compactMap { index in
      // The first and the last call, and between them as far apart as can be.
      let place = places[count == 1 ? 0 : index * (places.count - 1) / (count - 1)]
      return try Self.read(
        trace, place, request: request, channels: inputs.latentChannels, texts: texts.count)
    }
    if calls.isEmpty { throw Self.nothing(trace) }
  }

  private static func nothing(_ trace: GoldenTrace) -> BenbenError {
    BenbenError(
      .malformed, "nothing to measure with", at: trace.path,
      because: "it holds no embeddings, or no inputs and predictions of the transformer",
      remedies: ["Record a trace of a whole run."])
  }

  private typealias Place = (unit: Int, stage: Int, step: Int, steps: Int)

  private static func places(_ request: GenerationRequest) -> [Place] {
    request.units.flatMap { unit in
      unit.steps.enumerated().flatMap { stage, count in
        (0..<count).map { (unit.index, stage, $0, count) }
      }
    }
  }

  /// One call, or nil when it was not recorded.
  private static func read(
    _ trace: GoldenTrace, _ place: Place, request: GenerationRequest, channels: Int, texts: Int
  ) throws -> Call? {
    let path = "dit/unit\(place.unit)/stage\(place.stage)/step\(place.step)"
    let frame = Tensor.zeros([channels, 1, request.latentHeight, request.latentWidth])
    let history = PyramidSampler.history(Array(repeating: frame, count: place.unit))[place.stage]
    let halvings = PyramidFlowSchedule.stageCount - 1 - place.stage
    let latent = [channels, 1, request.latentHeight >> halvings, request.latentWidth >> halvings]
    let inputs = try (history.map(\.shape) + [latent]).enumerated().compactMap { index, shape in
      try trace.tensor("\(path)/input\(index)", shape: [texts] + shape)?.rows(0..<1).reshaped(shape)
    }
    guard inputs.count == history.count + 1,
      let prediction = try trace.tensor("\(path)/prediction", shape: [texts] + latent)
    else { return nil }
    return Call(
      latent: inputs[history.count], history: Array(inputs.dropLast()),
      timestep: PyramidFlowSchedule().timesteps(stage: place.stage, count: place.steps)[place.step],
      prediction: prediction)
  }

  /// The nmse of every prediction of a sampler's transformer.
  func errors(_ sampler: PyramidSampler) throws -> [Double] {
    try calls.map { call in
      let ours = Tensor.concatenated(
        try sampler.predict(
          latent: call.latent, history: call.history, timestep: call.timestep, texts: texts))
      return ErrorMetrics(ours.elements, reference: call.prediction.elements).nmse
    }
  }
}
