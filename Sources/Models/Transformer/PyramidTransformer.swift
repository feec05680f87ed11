import Kernels
import Tensors

/// A pyramid transformer, which predicts the flow of the last of a sequence of clips.
package protocol PyramidTransformer {
  /// The inputs that the transformer expects.
  var inputs: TransformerInputs { get }

  /// Predicts the flow of the last clip of every sample: [channels, frames, height, width] each.
  func callAsFunction(
    _ batch: [TransformerSample], observer: (any ActivationObserver)?, in context: KernelContext
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
