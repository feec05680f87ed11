import CDNNL
import Tensors

/// The throughput of oneDNN on this machine for one large product, as the yardstick for measured speeds.
package enum PeakThroughput {
  /// The shape of the product: rows, outputs, inputs.
  package static let shape = (rows: 2176, outputs: 7680, inputs: 1920)

  /// Measures operations per second for inputs in each precision that oneDNN computes with on this processor, and row-major
  /// weights; the best of some rounds.
  package static func operationsPerSecond(rounds: Int, in context: KernelContext) throws
    -> [InputPrecision: Double]
  {
    var result: [InputPrecision: Double] = [:]
    for precision in InputPrecision.allCases where precision.isComputable {
      // A product with 16-bit inputs is two products with 8-bit inputs.
      result[precision] =
        if precision == .int16, let bytes = result[.int8] { bytes / 2 } else {
          try operationsPerSecond(precision, rounds: rounds, in: context)
        }
    }
    return result
  }

  private static func operationsPerSecond(
    _ precision: InputPrecision, rounds: Int, in context: KernelContext
  ) throws -> Double {
    let (rows, outputs, inputs) = shape
    let (input, weight, output): (NumberType, NumberType, NumberType) =
      switch precision {
      case .float32: (.f32, .f32, .f32)
      case .bf16: (.bf16, .bf16, .f32)
      case .int8, .int16: (.u8, .s8, .s32)
      }
    let left = Tensor.zeros([rows, inputs])
    let right = Tensor.zeros([outputs, inputs])
    let result = Tensor.zeros([rows, outputs])
    var best = Double.infinity
    let clock = ContinuousClock()
    for _ in 0..<rounds {
      try Task.checkCancellation()
      let duration = try clock.measure {
        try context.product(
          MatrixView(left.elements.baseAddress, input, rows: rows, columns: inputs, rowStride: inputs),
          MatrixView(
            right.elements.baseAddress, weight, rows: inputs, columns: outputs, rowStride: 1,
            columnStride: inputs),
          bias: nil,
          into: MatrixView(
            result.elements.baseAddress, output, rows: rows, columns: outputs, rowStride: outputs))
      }
      best = min(best, duration / .seconds(1))
    }
    withExtendedLifetime((left, right, result)) {}
    return 2 * Double(rows) * Double(outputs) * Double(inputs) / best
  }
}
