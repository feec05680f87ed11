import CDNNL
import CKernelLoops
import Tensors

extension KernelContext {
  /// Whether 8-bit products are summed exactly.
  ///
  /// Without the VNNI instructions oneDNN adds pairs of them in 16 bits, which saturate: 127·127·2 is too large, and the
  /// result is wrong without a word.
  public static let multipliesIntegersExactly: Bool = {
    let vnni: UInt32 = 0x440  // the bits of AVX-512 VNNI and of AVX2 VNNI in oneDNN's masks
    return dnnl_get_effective_cpu_isa().rawValue & vnni != 0
  }()

  /// Whether the processor multiplies numbers in bf16; oneDNN would also do so without, but slower than in f32.
  public static let multipliesBFloat16: Bool = {
    let bfloat16: UInt32 = 0x80  // the bit of AVX-512 BF16 in oneDNN's masks
    return dnnl_get_effective_cpu_isa().rawValue & bfloat16 != 0
  }()

  /// With more inputs than this, sums of products of 8-bit numbers might not fit 32 bits.
  static let maximumIntegerInputs = Int(Int32.max) / (255 * 127)

  /// Sums that are held at a time.
  private static let maximumSums = 1 << 24

  /// The sum of every row of 8-bit weights: what 128 in place of zero adds to products with them, divided by 128.
  static func rowSums(_ values: UnsafeBufferPointer<Int8>, columns: Int) -> [Int32] {
    [Int32](unsafeUninitializedCapacity: values.count / max(columns, 1)) { sums, count in
      count = values.count / max(columns, 1)
      let output = sums.baseAddress
      parallelRows(count) { rows in
        bb_sum_rows(
          values.baseAddress.map { $0 + rows.lowerBound * columns }, rows.count, columns,
          output.map { $0 + rows.lowerBound })
      }
    }
  }

  /// x·Wᵀ with x quantized row by row, 128 standing for zero, and W [outputs, inputs] in 8 bits, summed exactly in 32 bits.
  ///
  /// - Parameter body: is shown the sums of some of the rows, to be scaled by `bb_scale_sums`.
  func integerProduct(
    _ x: LinearInput, rows: Range<Int>, _ weights: UnsafeBufferPointer<Int8>, outputs: Int,
    body: (_ rows: Range<Int>, _ sums: UnsafePointer<Int32>) throws -> Void
  ) throws {
    let inputs = x.features
    let source = x.quantizedRows().values
    let block = max(1, min(rows.count, Self.maximumSums / max(outputs, 1)))
    try sumScratch.with(count: block * outputs) { scratch in
      let sums = UnsafeMutableRawBufferPointer(scratch).bindMemory(to: Int32.self)
      for start in stride(from: rows.lowerBound, to: rows.upperBound, by: block) {
        let part = start..<min(start + block, rows.upperBound)
        try product(
          MatrixView(
            source + start * inputs, .u8, rows: part.count, columns: inputs,
            rowStride: inputs),
          MatrixView(
            weights.baseAddress, .s8, rows: inputs, columns: outputs, rowStride: 1, columnStride: inputs),
          bias: nil,
          into: MatrixView(
            sums.baseAddress, .s32, rows: part.count, columns: outputs, rowStride: outputs))
        if let sums = sums.baseAddress { try body(part, UnsafePointer(sums)) }
      }
    }
  }
}

extension ActivationPrecision {
  /// Whether products with inputs rounded so are computed so on this processor.
  public var isComputable: Bool {
    switch self {
    case .wide: true
    case .bf16: KernelContext.multipliesBFloat16
    case .int8: KernelContext.multipliesIntegersExactly
    }
  }
}
