import Tensors

extension Shape {
  /// Returns whether strides, in elements, are those of a row-major layout without gaps.
  func isContiguous(strides: [Int]) -> Bool {
    if contains(0) { return true }
    var expected = 1
    for (dimension, stride) in zip(self, strides).reversed() where dimension != 1 {
      if stride != expected { return false }
      expected *= dimension
    }
    return true
  }
}
