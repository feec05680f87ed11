import CKernelLoops
import Tensors

/// Rotary position embedding over adjacent pairs.
package enum RotaryEmbedding {
  /// Rotates x [tokens, heads·headDim] in place by the angles [tokens, headDim/2].
  package static func rotate(_ x: Tensor, cosines: Tensor, sines: Tensor, heads: Int) {
    let tokens = x.shape[0]
    let headDim = x.shape[1] / heads
    precondition(cosines.shape == [tokens, headDim / 2] && sines.shape == cosines.shape)
    parallelRows(tokens) { rows in
      bb_rotate_pairs(
        x.pointer(row: rows.lowerBound), cosines.pointer(row: rows.lowerBound),
        sines.pointer(row: rows.lowerBound),
        rows.count, heads, headDim)
    }
  }
}
