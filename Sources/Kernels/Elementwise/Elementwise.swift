import CKernelLoops
import Tensors

/// Elementwise sums of tensors.
package enum Elementwise {
  /// Computes output = output + gate ⊙ x, with one gate row for all rows.
  static func add(_ x: Tensor, gatedBy gate: Tensor, to output: Tensor) {
    precondition(x.shape == output.shape && gate.count == x.shape[1])
    parallelRows(x.shape[0]) { rows in
      bb_add_gated(
        x.pointer(row: rows.lowerBound), gate.elements.baseAddress, output.pointer(row: rows.lowerBound),
        rows.count, x.shape[1])
    }
  }

  /// Computes output = output + x.
  static func add(_ x: Tensor, to output: Tensor) {
    precondition(x.shape == output.shape)
    bb_linear_combination(
      x.elements.baseAddress, 1, output.elements.baseAddress, 1, output.elements.baseAddress, x.count)
  }

  /// Returns a·x + b·y.
  package static func combine(_ x: Tensor, _ a: Float, _ y: Tensor, _ b: Float) -> Tensor {
    precondition(x.shape == y.shape)
    let output = Tensor(x.shape)
    bb_linear_combination(
      x.elements.baseAddress, a, y.elements.baseAddress, b, output.elements.baseAddress, x.count)
    return output
  }
}
