import Kernels
import Tensors

/// Queries, keys and values of all samples, [Σ (text + image tokens), width] each, text first in every sample.
struct AttentionOperands {
  let query: Tensor, key: Tensor, value: Tensor

  init(layout: BatchLayout, width: Int) {
    let shape = [layout.jointRows.last?.upperBound ?? 0, width]
    query = Tensor(shape)
    key = Tensor(shape)
    value = Tensor(shape)
  }

  /// Rotates queries and keys in place, then computes the attention sample by sample.
  func attend(
    _ layout: BatchLayout, _ settings: AttentionSettings, isRounded: Bool, in context: KernelContext
  ) throws -> Tensor {
    let output = Tensor(query.shape)
    for (sample, rows) in layout.jointRows.enumerated() {
      let rotary = layout.rotary[sample]
      for tensor in [query, key] {
        RotaryEmbedding.rotate(
          tensor.rows(rows), cosines: rotary.cosines, sines: rotary.sines, heads: settings.heads)
      }
      try context.attention(
        AttentionInput(
          query: query.rows(rows), key: key.rows(rows), value: value.rows(rows), heads: settings.heads,
          isRounded: isRounded),
        blocks: layout.attentionBlocks(sample: sample), scale: 1 / Float(settings.headDim).squareRoot(),
        into: output.rows(rows))
    }
    return output
  }
}
