import CDNNL
import CKernelLoops
import Tensors

extension KernelContext {
  /// Whether oneDNN sums 8-bit products exactly.
  ///
  /// Without the VNNI instructions it adds pairs of products in 16 bits, with saturation: inputs have 128 for zero, and
  /// 255·127·2 is too large, and the result is silently wrong. ``wordProduct(_:rows:_:body:)`` computes instead.
  package static let multipliesBytesExactly =
    bb_may_use(dnnl_cpu_isa_avx512_core_vnni) != 0 || bb_may_use(dnnl_cpu_isa_avx2_vnni) != 0

  /// Whether the processor has bf16 products; without them oneDNN computes in bf16 too, but slower than in f32.
  package static let multipliesBFloat16 = bb_may_use(dnnl_cpu_isa_avx512_core_bf16) != 0

  /// The most inputs for which sums of 8-bit products are sure to fit 32 bits; −128 never occurs in weights quantized
  /// here, but a file may contain it.
  static let maximumByteInputs = Int(Int32.max) / (255 * 128)

  /// The most sums held at a time; they should still be in the cache when they are scaled.
  private static let maximumSums = 1 << 20

  /// Computes x·Wᵀ for x quantized row by row, with a zero point of 128, and W [outputs, inputs] in 8 bits, summed
  /// exactly in 32 bits.
  ///
  /// - Parameter body: receives the sums of some of the rows, [rows, parts, outputs], to be scaled by `bb_scale_sums`.
  func byteProduct(
    _ x: RoundedRows, rows: Range<Int>, _ weight: Weight,
    body: (_ rows: Range<Int>, _ sums: UnsafePointer<Int32>) throws -> Void
  ) throws {
    let (inputs, outputs) = (weight.rowLength, weight.shape[0])
    let block = max(1, min(rows.count, Self.maximumSums / max(x.parts * outputs, 1)))
    try withFactor(weight) { factor in
      try sumScratch.with(count: block * x.parts * outputs) { sums in
        for start in stride(from: rows.lowerBound, to: rows.upperBound, by: block) {
          let part = start..<min(start + block, rows.upperBound)
          try product(
            MatrixView(
              x.unsigned8 + x.parts * start * inputs, .u8, rows: x.parts * part.count, columns: inputs,
              rowStride: inputs),
            factor, bias: nil,
            into: MatrixView(
              sums.baseAddress, .s32, rows: x.parts * part.count, columns: outputs, rowStride: outputs))
          if let sums = sums.baseAddress { try body(part, UnsafePointer(sums)) }
        }
      }
    }
  }

  /// Lends an 8-bit weight as the right factor of a product: in place, or unpacked row by row where oneDNN cannot
  /// multiply blocks.
  private func withFactor(_ weight: Weight, _ body: (MatrixView) throws -> Void) throws {
    let (inputs, outputs) = (weight.rowLength, weight.shape[0])
    try weight.withQuantized { values, _ in
      if weight.layout == .rowMajor {
        return try body(.transposed(values.baseAddress, .s8, rows: inputs, columns: outputs))
      }
      if multipliesBlocks {
        return try body(MatrixView(blocks: values.baseAddress, rows: inputs, columns: outputs))
      }
      try rowMajorWeights.with(count: values.count) { rows in
        parallelRows(outputs) { part in
          weight.layout.deinterleave(
            values, rows: part, columns: inputs,
            into: UnsafeMutableBufferPointer(
              rebasing: rows[part.lowerBound * inputs..<part.upperBound * inputs]))
        }
        try body(.transposed(rows.baseAddress, .s8, rows: inputs, columns: outputs))
      }
    }
  }
}
