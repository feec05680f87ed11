import Files
import Models
import Parity
import Tensors

/// The calls of the transformer that a golden trace holds, with their inputs and the official predictions.
struct RecordedCalls {
  /// A recorded call of the transformer.
  struct Call {
    let latent: Tensor
    let history: [Tensor]
    let timestep: Double
    /// The official prediction, [texts, channels, 1, height, width].
    let prediction: Tensor
  }

  /// The embeddings of [negative, prompt], or the prompt's alone without guidance.
  let texts: [TextEmbedding]
  /// The calls in order of computation.
  let calls: [Call]

  /// Reads at most `limit` calls, spread evenly over the run.
  ///
  /// - Throws: `BenbenError` when the trace holds none for this transformer, or its clip is larger than it can make.
  init(_ trace: GoldenTrace, request: GenerationRequest, inputs: TransformerInputs, limit: Int) throws {
    let all = try request.calls(for: inputs)
    guard let texts = try trace.texts(request, for: inputs) else { throw Self.nothing(trace) }
    let count = min(limit, all.count)
    self.texts = texts
    calls = try (0..<count).compactMap { index in
      // The first and the last call, and evenly spaced ones between them.
      try Self.read(trace, all[count == 1 ? 0 : index * (all.count - 1) / (count - 1)], texts: texts.count)
    }
    if calls.isEmpty { throw Self.nothing(trace) }
  }

  private static func nothing(_ trace: GoldenTrace) -> BenbenError {
    BenbenError(
      .malformed, "nothing to measure with", at: trace.path,
      because: "it holds no embeddings, or no inputs and predictions of the transformer",
      remedies: ["Record a trace of a whole run."])
  }

  /// Reads one call, or returns nil when it was not recorded.
  private static func read(_ trace: GoldenTrace, _ call: TransformerCall, texts: Int) throws -> Call? {
    guard let inputs = try trace.inputs(of: call, texts: texts), let latent = inputs.last,
      let prediction = try trace.tensor(.prediction(call.traced), shape: [texts] + call.latentShape)
    else { return nil }
    return Call(
      latent: latent, history: Array(inputs.dropLast()), timestep: call.timestep, prediction: prediction)
  }

  /// Returns the nmse of every prediction of a sampler's transformer.
  func errors(_ sampler: PyramidSampler) throws -> [Double] {
    try calls.map { call in
      let ours = Tensor.concatenated(
        try sampler.predict(
          latent: call.latent, history: call.history, timestep: call.timestep, texts: texts))
      return ErrorMetrics(ours.elements, reference: call.prediction.elements).nmse
    }
  }
}

extension GoldenTrace {
  /// Returns the recorded inputs of a call, earlier latents first, without the copies for several texts; nil unless all
  /// of them were recorded.
  func inputs(of call: TransformerCall, texts: Int) throws -> [Tensor]? {
    let shapes = call.historyShapes + [call.latentShape]
    let inputs = try shapes.enumerated().compactMap { index, shape in
      try tensor(.input(call.traced, index), shape: [texts] + shape)?.rows(0..<1).reshaped(shape)
    }
    return inputs.count == shapes.count ? inputs : nil
  }
}
