import Kernels
import Tensors

/// Queries, keys and values of all samples, [Σ tokens, width] each, text first in every sample.
///
/// Queries are those of the rows whose output is read; keys and values start with those that are known.
struct AttentionOperands {
  let query: Tensor, key: Tensor, value: Tensor
  private let layout: BatchLayout

  init(layout: BatchLayout, width: Int) {
    self.layout = layout
    query = Tensor([layout.queryRows.last?.upperBound ?? 0, width])
    let shape = [layout.keyRows.last?.upperBound ?? 0, width]
    key = Tensor(shape)
    value = Tensor(shape)
  }

  /// Returns the positions of rows of the queries, a range for each sample.
  func queryRotations(_ rows: [Range<Int>]) -> [RotaryPositions] {
    zip(layout.rotary, zip(layout.queryRows, rows)).map { rotary, rows in
      // Queries are the last of the rows.
      let shift = rotary.cosines.shape[0] - rows.0.upperBound
      return rotary.rows(rows.1.lowerBound + shift..<rows.1.upperBound + shift)
    }
  }

  /// Returns the positions of rows of the new keys, a range for each sample.
  func keyRotations(_ rows: [Range<Int>]) -> [RotaryPositions] {
    zip(layout.rotary, zip(layout.keys(of: layout.jointRows), rows)).map { rotary, rows in
      let shift = rows.0.lowerBound
      return rotary.rows(rows.1.lowerBound - shift..<rows.1.upperBound - shift)
    }
  }

  /// Computes the attention sample by sample, once the projections are there.
  func attend(
    _ settings: AttentionSettings, isRounded: Bool, history: LayerHistory?, in context: KernelContext
  ) throws -> Tensor {
    try history?.load(into: self, layout)
    let queries = layout.queryRows
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
