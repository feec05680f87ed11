import Kernels
import Tensors

/// A pyramid transformer, which predicts the flow of the last of a sequence of clips.
package protocol PyramidTransformer {
  /// The inputs that the transformer expects.
  var inputs: TransformerInputs { get }

  /// What a cache of this transformer's keys and values holds.
  var historyShape: HistoryShape { get }

  /// Hands out how the blocks are modulated at some timesteps: one after the other, the shifts, scales and gates of a
  /// block's streams, [timesteps, any number] each.
  ///
  /// - Parameter pooled: the pooled embedding of a text, [1, pooledWidth].
  func forEachModulation(
    timesteps: [Float], pooled: Tensor, in context: KernelContext, _ body: (Tensor) -> Void
  ) throws

  /// Predicts the flow of the last clip of every sample: [channels, frames, height, width] each; nothing where none is to
  /// be predicted.
  ///
  /// - Parameters:
  ///   - history: the keys and values that are known, and kept for the next unit; nil to compute all of them.
  ///   - observer: receives the activations of every token, which needs all of them to be computed.
  func callAsFunction(
    _ batch: [TransformerSample], history: (any CallHistory)?, observer: (any ActivationObserver)?,
    in context: KernelContext
  ) throws -> [Tensor]
}

extension ActivationObserver {
  /// Passes on a batch's rows, split into samples.
  func observe(
    _ module: String, _ output: Int, _ stream: ObservedStream, _ tensor: Tensor, rows: [Range<Int>]
  ) throws {
    try observe(module: module, output: output, stream: stream, samples: rows.map(tensor.rows))
  }
}
