import CKernelLoops
import Files
import Foundation
import TestSupport
import Testing

@testable import Kernels
@testable import Tensors

struct LinearTests {
  private let context: KernelContext

  init() throws { context = try KernelContext() }

  /// With a wide input the product is that of the expanded weights; with a quantized one it is off by the input's
  /// rounding, about 1/127 of a row's largest value.
  ///
  /// A weight of 128 × 192 values is stored in blocks where products are those of integers.
  @Test(
    arguments: InputPrecision.allCases.flatMap { [($0, 1), ($0, 7), ($0, 600)] },
    [[50, 96], [128, 192]])
  func quantizedLinear(_ item: (activations: InputPrecision, rows: Int), shape: Shape) throws {
    let (activations, rows) = item
    let outputs = shape[0]
    let x = KernelReference.random([rows, shape[1]], seed: 1)
    let weight = try KernelReference.quantized(KernelReference.random(shape, seed: 2), activations)
    #expect((weight.layout == .blocked) == (activations.isInteger && outputs == 128))
    let bias = try KernelReference.weight(KernelReference.random([outputs], seed: 3))
    let layer = Linear(weight: weight, bias: bias)
    let expected = KernelReference.product(x, weight.tensor(), bias.tensor())
    let isWide = layer.precision == .float32
    let tolerance =
      switch layer.precision {
      case .float32: 1e-11
      case .int16: 1e-8
      case .bf16: 1e-5
      case .int8: 1e-4
      }
    let product = try layer(x, in: context)
    KernelReference.expectClose(product, expected, tolerance)
    // A quantized input shows.
    #expect(
      ErrorMetrics(product.array, reference: expected.map(Float.init)).nmse > (isWide ? 0 : tolerance / 1e3))
    let factor = KernelReference.random([rows, outputs], seed: 4)
    let gate = KernelReference.random([1, outputs], seed: 5)
    KernelReference.expectClose(
      try layer(x, then: [.multiply(factor)], in: context),
      zip(expected, factor.array).map { $0 * Double($1) },
      tolerance)
    for epilogue in [Linear.Epilogue.residual, .gatedResidual(gate)] {
      let output = factor.copy()
      try layer(
        LinearInput(x), into: output, then: [epilogue], in: context)
      let sums = expected.indices.map { index -> Double in
        var share = expected[index]
        if case .gatedResidual = epilogue { share *= Double(gate.elements[index % outputs]) }
        return Double(factor.elements[index]) + share
      }
      KernelReference.expectClose(output, sums, tolerance)
    }
    let silu = expected.map { $0 / (1 + exp(-$0)) }
    KernelReference.expectClose(try layer(x, then: [.activation(.silu)], in: context), silu, tolerance)
  }

  /// Every stored type multiplied in bf16: as the product of operands rounded so, summed without rounding.
  @Test(arguments: [ElementType.f32, .bf16, .f16])
  func roundedLinear(type: ElementType) throws {
    func rounded(_ x: Tensor) -> Tensor {
      x.map { Float(bitPattern: UInt32(FloatConversion.bfloat16($0)) << 16) }
    }
    let x = KernelReference.random([9, 96], seed: 1)
    let weight = try KernelReference.weight(KernelReference.random([50, 96], seed: 2), type).using(.bf16)
    let product = try Linear(weight: weight, bias: nil)(x, in: context)
    let operands =
      KernelContext.multipliesBFloat16 ? (rounded(x), rounded(weight.tensor())) : (x, weight.tensor())
    KernelReference.expectClose(product, KernelReference.product(operands.0, operands.1, nil))
  }

  /// Inputs side by side are those of one row, in every precision.
  @Test(arguments: InputPrecision.allCases)
  func inputsSideBySide(activations: InputPrecision) throws {
    let (left, right) = (
      KernelReference.random([5, 24], seed: 1), KernelReference.random([5, 40], seed: 2).map { 3 * $0 }
    )
    let rows = (0..<5).flatMap { left.rows($0..<$0 + 1).array + right.rows($0..<$0 + 1).array }
    let layer = Linear(
      weight: try KernelReference.quantized(KernelReference.random([16, 64], seed: 3), activations), bias: nil
    )
    let together = try layer(LinearInput(sideBySide: [left, right]), in: context)
    #expect(together.array == (try layer(Tensor([5, 64], rows), in: context)).array)
  }

  /// Rows that are rounded while they are computed are those that are stored first, in every precision.
  @Test(arguments: InputPrecision.allCases)
  func computedInputs(activations: InputPrecision) throws {
    func quantized(_ shape: Shape, seed: UInt64) throws -> Linear {
      Linear(
        weight: try KernelReference.quantized(KernelReference.random(shape, seed: seed), activations),
        bias: nil)
    }
    let (first, second) = (try quantized([40, 24], seed: 1), try quantized([16, 30 + 40], seed: 2))
    let x = KernelReference.random([5, 24], seed: 3),
      beside = KernelReference.random([5, 30], seed: 4).map { 9 * $0 }
    let hidden = try first(x, then: [.activation(.geluTanh)], in: context)
    let stored = try second(LinearInput(sideBySide: [beside, hidden]), in: context)
    let input = LinearInput(rows: 5, computing: 40, after: [beside], for: [second], in: context)
    if case .tensor = input.target(0..<1), activations.isInteger { Issue.record("the rows are stored") }
    // Sums of f32 may depend on the number of rows.
    let segments = (activations.isInteger ? [3..<5, 0..<3] : [0..<5]).map {
      Linear.Segment(rows: $0, into: input.target($0), then: [.activation(.geluTanh)])
    }
    try first(LinearInput(x), segments, in: context)
    #expect(try second(input, in: context).array == stored.array)

    let (scale, shift) = (KernelReference.random([24], seed: 5), KernelReference.random([24], seed: 6))
    let normed = Tensor([5, 24])
    Normalization.layerNorm(x, scale: scale, shift: shift, epsilon: 1e-6, into: normed)
    let modulated = LinearInput(rows: 5, computing: 24, for: [first], in: context)
    Normalization.layerNorm(x, scale: scale, shift: shift, epsilon: 1e-6, into: modulated.target(0..<5))
    #expect(try first(modulated, in: context).array == first(normed, in: context).array)
  }

  /// Heads are normalised in the cache or afterwards, but recorded magnitudes are those of the products.
  @Test(arguments: InputPrecision.allCases)
  func normalizedHeads(activations: InputPrecision) throws {
    let weight = try KernelReference.quantized(KernelReference.random([16, 24], seed: 1), activations)
    let layer = Linear(weight: weight, bias: nil)
    let x = KernelReference.random([5, 24], seed: 2)
    let heads = HeadNormalization(
      weight: KernelReference.random([8], seed: 3), epsilon: 1e-6,
      cosines: KernelReference.random([5, 4], seed: 4),
      sines: KernelReference.random([5, 4], seed: 5))
    let product = try layer(x, in: context)
    let expected = product.copy()
    heads(expected)
    #expect(try layer(x, then: [.normalizedHeads(heads)], in: context).array == expected.array)
    let ranges = MagnitudeRecorder()
    context.magnitudes = ranges
    defer { context.magnitudes = nil }
    #expect(try layer(x, then: [.normalizedHeads(heads)], in: context).array == expected.array)
    let largest = (x.array + product.array).reduce(0) { max($0, $1.magnitude) }
    #expect(ranges.largest == [weight.name: largest])
  }

  @Test func integerSumsDoNotSaturate() throws {
    let weight = try KernelReference.quantized(Tensor([1, 512], [Float](repeating: 1, count: 512)), .int8)
    let layer = Linear(weight: weight, bias: nil)
    let product = try layer(Tensor([1, 512], [Float](repeating: 1, count: 512)), in: context)
    #expect(abs(product.array[0] - 512) < 1e-3)
    let damaged = Tensor([1, 512], [Float](repeating: 1, count: 511) + [.nan])
    #expect(try layer(damaged, in: context).array[0].isNaN)
  }

  /// The largest inputs and weights that can occur, in sums as long as are promised to be exact.
  @Test func wordSumsDoNotOverflow() {
    let columns = Int(BB_INTEGER_CHUNK)
    let weights = [Int8](repeating: .min, count: columns), x = [Int16](repeating: -.max, count: columns)
    #expect(
      KernelReference.wordProducts(x, rows: 1, weights, columns: columns, outputs: 1, usesAVX2: true)
        == [Float(32767 * 128 * columns)])
  }

  /// Our own kernel with AVX2 gives the bits of the plain one, which is compared with the definition; sizes that blocks,
  /// panels, tiles and chunks do not divide.
  @Test(arguments: [
    (1, 1, 3), (2, 17, 130), (3, 16, 512), (7, 50, 513), (64, 40, 1030), (5, 64, 64), (11, 128, 1088),
  ])
  func wordProducts(rows: Int, outputs: Int, columns: Int) {
    var generator = SystemRandomNumberGenerator()
    let stride = (columns + 3) / 4 * 4
    let weights = (0..<outputs * columns).map { _ in Int8.random(in: .min ... .max, using: &generator) }
    let x = (0..<rows * stride).map {
      $0 % stride < columns ? Int16.random(in: -.max ... .max, using: &generator) : 0
    }
    let expected = (0..<rows * outputs).map { place -> Float in
      let (row, output) = (place / outputs, place % outputs)
      return Swift.stride(from: 0, to: columns, by: Int(BB_INTEGER_CHUNK)).reduce(0) { sum, start in
        let chunk = start..<min(start + Int(BB_INTEGER_CHUNK), columns)
        return sum
          + Float(
            chunk.reduce(0) { $0 + Int(x[row * stride + $1]) * Int(weights[output * columns + $1]) })
      }
    }
    for usesAVX2 in [false, true] {
      #expect(
        KernelReference.wordProducts(
          x, rows: rows, weights, columns: columns, outputs: outputs, usesAVX2: usesAVX2) == expected)
    }
  }

  /// Our own product of bytes gives the bits of exact sums that `bb_scale_sums` scales; rows that tiles do not divide, more
  /// columns than are multiplied at a time, and inputs in halves.
  @Test(arguments: [(1, 4, 1), (7, 192, 1), (12, 2048, 1), (5, 4200, 1), (3, 300, 2), (4, 128, 2)])
  func byteProducts(rows: Int, columns: Int, parts: Int) {
    var generator = SystemRandomNumberGenerator()
    let outputs = WeightLayout.blockSize
    let x = (0..<rows * parts * columns).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let weights = (0..<outputs * columns).map { _ in Int8.random(in: -127...127, using: &generator) }
    var blocks = weights
    bb_interleave_rows(weights, columns, outputs, &blocks)
    let sums = (0..<outputs).map { row in
      weights[row * columns..<(row + 1) * columns].reduce(Int32(0)) { $0 + Int32($1) }
    }
    let (scales, bias) = (
      KernelReference.random([outputs], seed: 1).array, KernelReference.random([outputs], seed: 2).array
    )
    let rowScales = KernelReference.random([rows], seed: 3).array
    func sum(_ row: Int, _ output: Int) -> Int32 {
      (0..<columns).reduce(Int32(0)) {
        $0 + Int32(x[row * columns + $1]) * Int32(weights[output * columns + $1])
      }
    }
    let byteSums = (0..<rows * parts).map { row in (0..<outputs).map { sum(row, $0) } }
    for isBiased in [false, true] {
      var expected = [Float](repeating: 0, count: rows * outputs)
      for row in 0..<rows {
        expected.withUnsafeMutableBufferPointer {
          bb_scale_sums(
            byteSums[row * parts], parts == 2 ? byteSums[row * parts + 1] : nil, sums, rowScales[row], scales,
            isBiased ? bias : nil, $0.baseAddress.map { $0 + row * outputs }, outputs)
        }
      }
      for instructions in KernelReference.instructions {
        var result = [Float](repeating: .nan, count: rows * outputs)
        bb_byte_product(
          x, rowScales, rows, parts, columns, blocks, sums, scales, isBiased ? bias : nil, &result, outputs,
          instructions)
        #expect(result == expected)
      }
    }
  }

  /// More weights than are widened at a time.
  @Test func wideMatricesAreMultipliedInTiles() throws {
    let (inputs, outputs) = (4096, 1500)
    let x = KernelReference.random([3, inputs], seed: 1)
    let weight = try KernelReference.weight(KernelReference.random([outputs, inputs], seed: 2), .bf16)
    let residual = KernelReference.random([3, outputs], seed: 3)
    let output = residual.copy()
    let expected = zip(KernelReference.product(x, weight.tensor(), nil), residual.array).map {
      $0 + Double($1)
    }
    try Linear(weight: weight, bias: nil)(
      LinearInput(x), into: output, then: [.residual], in: context)
    KernelReference.expectClose(output, expected)
  }

  @Test(arguments: [ElementType.f32, .bf16, .f16], [1, 7, 64])
  func linear(type: ElementType, rows: Int) throws {
    let x = KernelReference.random([rows, 96], seed: 1)
    let weight = try KernelReference.weight(KernelReference.random([50, 96], seed: 2), type)
    let bias = try KernelReference.weight(KernelReference.random([50], seed: 3), type)
    let expected = KernelReference.product(x, weight.tensor(), bias.tensor())
    let layer = Linear(weight: weight, bias: bias)
    KernelReference.expectClose(try layer(x, in: context), expected)
    let geluTanh = expected.map { 0.5 * $0 * (1 + tanh(0.7978845608028654 * ($0 + 0.044715 * $0 * $0 * $0))) }
    KernelReference.expectClose(try layer(x, then: [.activation(.geluTanh)], in: context), geluTanh)
    let silu = expected.map { $0 / (1 + exp(-$0)) }
    KernelReference.expectClose(try layer(x, then: [.activation(.silu)], in: context), silu)
    let quick = expected.map { $0 / (1 + exp(-1.702 * $0)) }
    KernelReference.expectClose(try layer(x, then: [.activation(.quickGELU)], in: context), quick)
    let gelu = expected.map { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }
    KernelReference.expectClose(try layer(x, then: [.activation(.gelu)], in: context), gelu)
    let factor = KernelReference.random([rows, 50], seed: 4)
    KernelReference.expectClose(
      try layer(x, then: [.multiply(factor)], in: context),
      zip(expected, factor.elements).map { $0 * Double($1) })
  }

  @Test func linearAddsToResiduals() throws {
    let x = KernelReference.random([5, 32], seed: 5)
    let weight = try KernelReference.weight(KernelReference.random([16, 32], seed: 6))
    let layer = Linear(weight: weight, bias: nil)
    let product = KernelReference.product(x, weight.tensor(), nil)
    let gates = [KernelReference.random([16], seed: 7), KernelReference.random([16], seed: 8)]
    let output = KernelReference.random([5, 16], seed: 9)
    let before = output.array
    try layer(
      LinearInput(x),
      [
        .init(rows: 0..<2, into: output.rows(0..<2), then: [.gatedResidual(gates[0])]),
        .init(rows: 2..<4, into: output.rows(2..<4), then: [.gatedResidual(gates[1])]),
        .init(rows: 4..<5, into: output.rows(4..<5), then: [.residual]),
      ], in: context)
    let expected = (0..<80).map { place -> Double in
      let (row, column) = (place / 16, place % 16)
      let gate = row == 4 ? 1 : Double(gates[row / 2].elements[column])
      return Double(before[place]) + gate * product[place]
    }
    KernelReference.expectClose(output, expected)
  }
}
