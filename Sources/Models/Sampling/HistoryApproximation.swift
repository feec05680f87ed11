import Files
import Kernels
import Tensors

/// How a run approximates the keys and values of its history; see ``HistoryNodes``.
package struct HistoryApproximation {
  /// The steps at which they are computed, for the timesteps of a stage.
  let nodes: [[Double]: InterpolationNodes]
  /// What holds them, a stage's after another's.
  let file: ScratchFile
  /// The bytes that the longest stage takes.
  package let byteCount: Int
}

extension PyramidSampler {
  /// Creates the approximation of a run.
  ///
  /// - Parameters:
  ///   - nodes: the number of a stage's timesteps at which keys and values are computed.
  ///   - calls: the calls of the run.
  ///   - texts: the embeddings that the calls are made with.
  ///   - folder: a folder on the disk to use; nil for the system's temporary one.
  /// - Throws: `BenbenError` of kind cannotCreate when what the longest stage needs is not free there.
  package func makeApproximation(
    nodes: Int, _ calls: [TransformerCall], texts: [TextEmbedding], in folder: String? = nil
  ) throws -> HistoryApproximation {
    let file = try ScratchFile(in: folder)
    let shape = transformer.historyShape
    let tokens = calls.map { call in
      texts.reduce(0) { $0 + $1.tokens.shape[0] + call.latentTokens - call.noisyTokens }
        * min(nodes, call.stepCount)
    }
    let bytes = 2 * shape.layers * shape.rowSize * (tokens.max() ?? 0)
    guard bytes <= file.freeSpace else {
      throw BenbenError(
        .cannotCreate, "too little space for the approximation", at: file.folder,
        because:
          "keys and values take up to \(ByteSize.text(bytes)), and \(ByteSize.text(file.freeSpace)) are free",
        remedies: [
          "Free space, take fewer nodes, or run without the approximation. TMPDIR names the folder for temporary files."
        ])
    }
    return HistoryApproximation(
      nodes: try interpolationNodes(nodes, of: calls, texts: texts), file: file, byteCount: bytes)
  }

  /// Chooses the nodes of every sequence of timesteps that a stage with a history has.
  private func interpolationNodes(
    _ count: Int, of calls: [TransformerCall], texts: [TextEmbedding]
  ) throws -> [[Double]: InterpolationNodes] {
    var nodes: [[Double]: InterpolationNodes] = [:]
    for call in calls where call.startsStage && !call.historyShapes.isEmpty {
      let timesteps = calls[call.index..<call.index + call.stepCount].map(\.timestep)
      guard nodes[timesteps] == nil else { continue }
      nodes[timesteps] = try InterpolationNodes(of: timesteps.count, count: count) { body in
        for text in texts {
          try transformer.forEachModulation(
            timesteps: timesteps.map(Float.init), pooled: text.pooled, in: context, body)
        }
      }
    }
    return nodes
  }

  /// Computes the keys and values of the texts and the history at some of a stage's steps.
  ///
  /// - Parameters:
  ///   - approximation: which steps are nodes, and what holds their keys and values until the next stage's are computed.
  ///   - stage: the calls of one stage of a unit.
  ///   - cache: what finished units have left.
  ///   - onPart: called with the share of it that is computed; an error that it throws ends the run.
  /// - Returns: nil where there is no history, whose stages are computed exactly.
  package func historyNodes(
    _ approximation: HistoryApproximation, of stage: ArraySlice<TransformerCall>, history: [Tensor],
    texts: [TextEmbedding], cache: HistoryCache? = nil, onPart: (Double) throws -> Void = { _ in }
  ) throws -> HistoryNodes? {
    guard let chosen = approximation.nodes[stage.map(\.timestep)], !history.isEmpty else { return nil }
    let calls = chosen.steps.map { stage[stage.startIndex + $0] }
    let tokens = history.reduce(0) { $0 + Patches.extents($1).tokenCount }
    let nodes = HistoryNodes(
      chosen, frames: history.reduce(0) { $0 + $1.shape[1] },
      tokenCounts: texts.map { $0.tokens.shape[0] + tokens }, shape: transformer.historyShape,
      in: approximation.file)
    let cached = calls.map { cache?.call($0) }
    let recording = nodes.recording(over: cached)
    let samples = calls.flatMap { call in
      texts.map {
        TransformerSample(
          text: $0.tokens, pooled: $0.pooled, clips: history, timestep: Float(call.timestep),
          isPredicted: false)
      }
    }
    // As many at a time as products need to be fast, and no more than there is memory for.
    let computed = samples.map { $0.tokenCount(after: recording.knownFrames) }.max() ?? 1
    let all = samples.map { $0.tokenCount(after: 0) }.max() ?? 1
    let together = max(1, min(Self.tokensTogether / computed, Self.keysTogether / all))
    for first in stride(from: 0, to: samples.count, by: together) {
      let end = min(first + together, samples.count)
      _ = try transformer(
        Array(samples[first..<end]), history: recording.starting(at: first), observer: nil, in: context)
      try onPart(Double(end) / Double(samples.count))
    }
    for case (let call, let cached?) in zip(calls, cached) { cache?.finish(cached, of: call) }
    return nodes
  }

  /// The number of tokens whose keys are in memory at a time where several samples are computed together.
  private static let keysTogether = 10000
}
