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

  /// Rows whose sums are held at a time.
  private static let integerRowsAtOnce = 512

  /// output = x·Wᵀ + bias with x [rows, inputs] quantized row by row and W [outputs, inputs] in 8 bits: u8 and s8 products,
  /// summed in 32 bits, scaled once.
  func integerProduct(
    _ x: Tensor, _ weights: UnsafeBufferPointer<Int8>, weightScales: UnsafeBufferPointer<Float>,
    bias: Tensor?,
    into output: Tensor
  ) throws {
    let (rows, inputs, outputs) = (x.shape[0], x.shape[1], output.shape[1])
    let block = min(rows, Self.integerRowsAtOnce)
    let quantized = UnsafeMutableBufferPointer<Int8>.allocate(capacity: block * inputs)
    let sums = UnsafeMutableBufferPointer<Int32>.allocate(capacity: block * outputs)
    let scales = UnsafeMutableBufferPointer<Float>.allocate(capacity: block)
    defer {
      quantized.deallocate()
      sums.deallocate()
      scales.deallocate()
    }
    for start in stride(from: 0, to: rows, by: block) {
      let source = x.rows(start..<min(start + block, rows))
      let target = output.rows(start..<min(start + block, rows))
      let count = source.shape[0]
      parallelRows(count) { rows in
        bb_quantize_rows(
          source.rows(rows).elements.baseAddress, rows.count, inputs,
          quantized.baseAddress.map { $0 + rows.lowerBound * inputs },
          scales.baseAddress.map { $0 + rows.lowerBound })
      }
      var offset: Int32 = 0
      try dnnl(
        dnnl_gemm_s8s8s32(
          CChar(UInt8(ascii: "N")), CChar(UInt8(ascii: "T")), CChar(UInt8(ascii: "F")), Int64(count),
          Int64(outputs), Int64(inputs), 1, quantized.baseAddress, Int64(inputs), 0, weights.baseAddress,
          Int64(inputs), 0, 0, sums.baseAddress, Int64(outputs), &offset), "integer product")
      parallelRows(count) { rows in
        bb_scale_sums(
          sums.baseAddress.map { $0 + rows.lowerBound * outputs },
          scales.baseAddress.map { $0 + rows.lowerBound }, weightScales.baseAddress,
          bias?.elements.baseAddress, target.rows(rows).elements.baseAddress, rows.count, outputs)
      }
    }
    withExtendedLifetime(bias) {}
  }

  /// Runs a loop of ours over runs of rows, one a thread.
  private func parallelRows(_ count: Int, _ body: (Range<Int>) -> Void) {
    let workers = min(count, KernelContext.threads)
    parallelFor(workers) { worker in
      body(count * worker / workers..<count * (worker + 1) / workers)
    }
  }
}
