import Kernels
import Tensors

/// Queries, keys and values of all samples, [Σ tokens, width] each, text first in every sample.
///
/// Queries are those of the rows whose output is read; keys and values start with those that are known.
struct AttentionOperands {
  let query: Tensor, key: Tensor, value: Tensor

  init(layout: BatchLayout, width: Int) {
    query = Tensor([layout.queryRows.last?.upperBound ?? 0, width])
    let shape = [layout.keyRows.last?.upperBound ?? 0, width]
    key = Tensor(shape)
    value = Tensor(shape)
  }

  /// Rotates queries and new keys in place, then computes the attention sample by sample.
  func attend(
    _ layout: BatchLayout, _ settings: AttentionSettings, isRounded: Bool, history: LayerHistory?,
    in context: KernelContext
  ) throws -> Tensor {
    try history?.load(into: self, layout)
    let queries = layout.queryRows
    for (sample, keys) in layout.keys(of: layout.jointRows).enumerated() {
      let rotary = layout.rotary[sample]
      for tensor in [query.rows(queries[sample]), key.rows(keys)] {
        // Queries are the last of the rows.
        let rows = rotary.cosines.shape[0] - tensor.shape[0]..<rotary.cosines.shape[0]
        RotaryEmbedding.rotate(
          tensor, cosines: rotary.cosines.rows(rows), sines: rotary.sines.rows(rows), heads: settings.heads)
      }
    }
    try history?.store(self, layout)
    let output = Tensor(query.shape)
    if output.count == 0 { return output }
    for (sample, keys) in layout.keyRows.enumerated() {
      try context.attention(
        AttentionInput(
          query: query.rows(queries[sample]), key: key.rows(keys), value: value.rows(keys),
          heads: settings.heads, isRounded: isRounded),
        blocks: layout.attentionBlocks(sample: sample), scale: 1 / Float(settings.headDim).squareRoot(),
        into: output.rows(queries[sample]))
    }
    return output
  }
}
