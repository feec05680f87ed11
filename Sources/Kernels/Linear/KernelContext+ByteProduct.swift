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

  /// The best instructions for our own products of integers; they obey the same switch as oneDNN (`ONEDNN_MAX_CPU_ISA`).
  static let instructions: bb_instructions =
    if bb_may_use(dnnl_cpu_isa_avx512_core_vnni) != 0 {
      BB_AVX512_VNNI
    } else if bb_may_use(dnnl_cpu_isa_avx2_vnni) != 0 {
      BB_AVX2_VNNI
    } else if bb_may_use(dnnl_cpu_isa_avx2) != 0 {
      BB_AVX2
    } else {
      BB_PLAIN
    }

  /// The most inputs for which sums of 8-bit products are sure to fit 32 bits; −128 never occurs in weights quantized
  /// here, but a file may contain it.
  static let maximumByteInputs = Int(Int32.max) / (255 * 128)

  /// The most results held at a time; they should still be in the cache when they are finished.
  private static let maximumResults = 1 << 20

  /// The bytes of input that a thread multiplies with a block of weights; both should stay in its second-level cache.
  private static let inputsAtOnce = 192 << 10

  /// One of a product's rows, scaled: where it was computed, or in the scratch memory that it is given.
  typealias ScaledRow = (_ row: Int, _ scratch: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float>

  /// Computes x·Wᵀ for x quantized row by row, with a zero point of 128, and W [outputs, inputs] in 8 bits, summed
  /// exactly in 32 bits, scaled, with a bias.
  ///
  /// - Parameters:
  ///   - weightSums: the sum of each row of the weight.
  ///   - body: called once for each run of rows, in order.
  func byteProduct(
    _ x: RoundedRows, rows: Range<Int>, _ weight: Weight, weightSums: [Int32], bias: UnsafePointer<Float>?,
    body: (_ rows: Range<Int>, _ scaled: @escaping ScaledRow) throws -> Void
  ) throws {
    let outputs = weight.shape[0]
    let block = max(1, min(rows.count, Self.maximumResults / max(x.parts * outputs, 1)))
    for start in stride(from: rows.lowerBound, to: rows.upperBound, by: block) {
      let part = start..<min(start + block, rows.upperBound)
      let multiply =
        weight.layout == .rowMajor || multipliesBlocks ? multiplyMatrix : multiplyBlocks
      try multiply(x, part, weight, weightSums, bias, { try body(part, $0) })
    }
  }

  /// Multiplies with blocked weights by our own kernel, where they are mapped: VNNI without AVX-512, for which oneDNN would
  /// unpack them.
  private func multiplyBlocks(
    _ x: RoundedRows, rows: Range<Int>, _ weight: Weight, weightSums: [Int32], bias: UnsafePointer<Float>?,
    body: (@escaping ScaledRow) throws -> Void
  ) throws {
    let (inputs, outputs, width) = (weight.rowLength, weight.shape[0], WeightLayout.blockSize)
    let rowsAtOnce = max(6, Self.inputsAtOnce / (inputs * x.parts) / 6 * 6)
    let parts = (rows.count + rowsAtOnce - 1) / rowsAtOnce
    try weight.withQuantized { values, scales in
      try weightSums.withUnsafeBufferPointer { weightSums in
        guard let values = values.baseAddress, let scales = scales.baseAddress,
          let sums = weightSums.baseAddress
        else { return }
        try floatSumScratch.with(count: rows.count * outputs) { buffer in
          guard let results = buffer.baseAddress else { return }
          try parallelItems(outputs / width * parts) { _, next in
            while let item = next() {
              let (block, part) = item.quotientAndRemainder(dividingBy: parts)
              let first = part * rowsAtOnce, output = block * width
              bb_byte_product(
                x.unsigned8 + x.parts * (rows.lowerBound + first) * inputs,
                x.scales + rows.lowerBound + first,
                min(rowsAtOnce, rows.count - first), x.parts, inputs, values + output * inputs, sums + output,
                scales + output, bias.map { $0 + output }, results + first * outputs + output, outputs,
                Self.instructions)
            }
          }
          try body { row, _ in results + (row - rows.lowerBound) * outputs }
        }
      }
    }
  }

  /// Multiplies by oneDNN.
  private func multiplyMatrix(
    _ x: RoundedRows, rows: Range<Int>, _ weight: Weight, weightSums: [Int32], bias: UnsafePointer<Float>?,
    body: (@escaping ScaledRow) throws -> Void
  ) throws {
    let (inputs, outputs) = (weight.rowLength, weight.shape[0])
    try weight.withQuantized { values, scales in
      let factor: MatrixView =
        weight.layout == .blocked
        ? MatrixView(blocks: values.baseAddress, rows: inputs, columns: outputs)
        : .transposed(values.baseAddress, .s8, rows: inputs, columns: outputs)
      try sumScratch.with(count: rows.count * x.parts * outputs) { buffer in
        guard let sums = buffer.baseAddress else { return }
        try product(
          MatrixView(
            x.unsigned8 + x.parts * rows.lowerBound * inputs, .u8, rows: x.parts * rows.count,
            columns: inputs,
            rowStride: inputs),
          factor, bias: nil,
          into: MatrixView(
            UnsafeMutablePointer(sums), .s32, rows: x.parts * rows.count, columns: outputs, rowStride: outputs
          )
        )
        try body { row, scratch in
          let high = sums + x.parts * (row - rows.lowerBound) * outputs
          bb_scale_sums(
            high, x.parts == 2 ? high + outputs : nil, weightSums, x.scales[row], scales.baseAddress, bias,
            scratch, outputs)
          return scratch
        }
      }
    }
  }
}
