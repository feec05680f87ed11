import CDNNL
import CKernelLoops
import Tensors

extension KernelContext {
  /// The rows of the input multiplied at a time: one chunk of their columns should stay in the second-level cache.
  private static let wordRowsAtOnce = 192

  /// The outputs that a thread computes at a time, a block of weights.
  private static let wordOutputsAtOnce = WeightLayout.blockSize

  /// Computes x·Wᵀ for x quantized row by row to 16 bits and W [outputs, inputs] in 8 bits, with exact sums of
  /// `BB_INTEGER_CHUNK` products, which are added in f32.
  ///
  /// - Parameter body: receives the sums of some of the rows, [rows, outputs], to be scaled in place by
  ///   `bb_scale_float_sums`.
  func wordProduct(
    _ x: RoundedRows, rows: Range<Int>, _ weight: Weight,
    body: (_ rows: Range<Int>, _ sums: UnsafeMutablePointer<Float>) throws -> Void
  ) throws {
    let (outputs, unit) = (weight.shape[0], Self.wordOutputsAtOnce)
    try weight.withQuantized { values, _ in
      let weights = bb_integer_weights(
        values: values.baseAddress, columns: weight.rowLength, is_blocked: weight.layout == .blocked ? 1 : 0)
      try floatSumScratch.with(count: min(rows.count, Self.wordRowsAtOnce) * outputs) { buffer in
        guard let sums = buffer.baseAddress else { return }
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: Self.wordRowsAtOnce) {
          let part = start..<min(start + Self.wordRowsAtOnce, rows.upperBound)
          try parallelItems((outputs + unit - 1) / unit) { _, next in
            while let item = next() {
              let first = item * unit
              bb_integer_product(
                weights, first, min(unit, outputs - first), x.signed16 + start * x.stride, x.stride,
                part.count,
                sums + first, outputs, Self.instructions)
            }
          }
          try body(part, sums)
        }
      }
    }
  }
}
