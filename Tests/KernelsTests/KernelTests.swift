import Foundation
import Testing

@testable import Kernels
@testable import Tensors

/// Every kernel against the plainest loop in double precision.
struct KernelTests {
  private let context: KernelContext

  init() throws { context = try KernelContext(threads: 2) }

  /// Reproducible values in −1…1.
  private static func random(_ shape: Shape, seed: UInt64) -> Tensor {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    let tensor = Tensor(shape)
    for index in tensor.elements.indices {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      tensor.elements[index] = Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max)
    }
    return tensor
  }

  private static func weight(_ tensor: Tensor, _ type: ElementType = .f32) throws -> Weight {
    let path = NSTemporaryDirectory() + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    var bytes = [UInt8](repeating: 0, count: tensor.count * type.size)
    bytes.withUnsafeMutableBytes {
      FloatConversion.narrow(UnsafeBufferPointer(tensor.elements), to: type, into: $0)
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let file = try MappedFile(path: path)
    return try #require(
      Weight(name: "w", shape: tensor.shape, type: type, file: file, range: 0..<bytes.count))
  }

  private static func expectClose(_ a: Tensor, _ b: [Double], _ tolerance: Double = 1e-11) {
    #expect(ErrorMetrics(a.elements, reference: b.map(Float.init)).nmse < tolerance)
  }

  private static func product(_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> [Double] {
    let (rows, inputs, outputs) = (x.shape[0], x.shape[1], w.shape[0])
    return (0..<rows * outputs).map { place in
      let (row, output) = (place / outputs, place % outputs)
      return (0..<inputs).reduce(Double(bias?.elements[output] ?? 0)) {
        $0 + Double(x.elements[row * inputs + $1]) * Double(w.elements[output * inputs + $1])
      }
    }
  }

  /// An 8-bit weight of these values, laid out as a native file has it.
  private static func quantized(_ tensor: Tensor, _ activations: InputPrecision) throws -> Weight {
    let rows = tensor.shape[0]
    let columns = tensor.count / rows
    var bytes = [Int8](repeating: 0, count: tensor.count)
    var scales = [Float](repeating: 0, count: rows)
    bytes.withUnsafeMutableBufferPointer { bytes in
      scales.withUnsafeMutableBufferPointer {
        RowQuantization.quantize(
          UnsafeBufferPointer(tensor.elements), columns: columns, into: bytes, scales: $0)
      }
    }
    let layout = WeightLayout(of: tensor.shape, type: .int8, activations: activations)
    if layout == .blocked {
      let rows = bytes
      rows.withUnsafeBufferPointer { rows in
        bytes.withUnsafeMutableBufferPointer { layout.pack(rows, columns: columns, into: $0) }
      }
    }
    let path = NSTemporaryDirectory() + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    let start = (bytes.count + 63) / 64 * 64
    let padding = [Int8](repeating: 0, count: start - bytes.count)
    let data = (bytes + padding).withUnsafeBytes { Data($0) } + scales.withUnsafeBytes { Data($0) }
    try data.write(to: URL(fileURLWithPath: path))
    return try #require(
      Weight(
        name: "w", shape: tensor.shape, layout: layout, file: try MappedFile(path: path),
        values: 0..<bytes.count, scales: start..<start + 4 * rows, activations: activations))
  }

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
    let x = Self.random([rows, shape[1]], seed: 1)
    let weight = try Self.quantized(Self.random(shape, seed: 2), activations)
    #expect((weight.layout == .blocked) == (activations.isInteger && outputs == 128))
    let bias = try Self.weight(Self.random([outputs], seed: 3))
    let layer = Linear(weight: weight, bias: bias)
    let expected = Self.product(x, weight.tensor(), bias.tensor())
    let isWide =
      switch activations {
      case .float32: true
      case .bf16: !KernelContext.multipliesBFloat16
      case .int8, .int16: !KernelContext.multipliesIntegersExactly
      }
    let tolerance =
      switch isWide ? .float32 : activations {
      case .float32: 1e-11
      case .int16: 1e-8
      case .bf16: 1e-5
      case .int8: 1e-4
      }
    let product = try layer(x, in: context)
    Self.expectClose(product, expected, tolerance)
    // A quantized input shows.
    #expect(
      ErrorMetrics(product.array, reference: expected.map(Float.init)).nmse > (isWide ? 0 : tolerance / 1e3))
    let factor = Self.random([rows, outputs], seed: 4)
    let gate = Self.random([1, outputs], seed: 5)
    Self.expectClose(
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
      Self.expectClose(output, sums, tolerance)
    }
    let silu = expected.map { $0 / (1 + exp(-$0)) }
    Self.expectClose(try layer(x, then: [.activation(.silu)], in: context), silu, tolerance)
  }

  /// Every stored type multiplied in bf16: as the product of operands rounded so, summed without rounding.
  @Test(arguments: [ElementType.f32, .bf16, .f16])
  func roundedLinear(type: ElementType) throws {
    func rounded(_ x: Tensor) -> Tensor {
      x.map { Float(bitPattern: UInt32(FloatConversion.bfloat16($0)) << 16) }
    }
    let x = Self.random([9, 96], seed: 1)
    let weight = try Self.weight(Self.random([50, 96], seed: 2), type).using(.bf16)
    let product = try Linear(weight: weight, bias: nil)(x, in: context)
    let operands =
      KernelContext.multipliesBFloat16 ? (rounded(x), rounded(weight.tensor())) : (x, weight.tensor())
    Self.expectClose(product, Self.product(operands.0, operands.1, nil))
  }

  /// Rows of the loops that stand behind integer products.
  @Test func rowActivations() {
    let x = Self.random([1, 1000], seed: 6).map { 12 * $0 }
    let functions: [(Activation, (Double) -> Double)] = [
      (.silu, { $0 / (1 + exp(-$0)) }), (.quickGELU, { $0 / (1 + exp(-1.702 * $0)) }),
      (.gelu, { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }),
      (.geluTanh, { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }),
    ]
    for (activation, function) in functions {
      let output = x.copy()
      activation.apply(to: output.elements)
      Self.expectClose(output, x.array.map { function(Double($0)) }, 1e-12)
    }
  }

  /// Inputs side by side are those of one row, in every precision.
  @Test(arguments: InputPrecision.allCases)
  func inputsSideBySide(activations: InputPrecision) throws {
    let (left, right) = (Self.random([5, 24], seed: 1), Self.random([5, 40], seed: 2).map { 3 * $0 })
    let rows = (0..<5).flatMap { left.rows($0..<$0 + 1).array + right.rows($0..<$0 + 1).array }
    let layer = Linear(weight: try Self.quantized(Self.random([16, 64], seed: 3), activations), bias: nil)
    let together = try layer(LinearInput(sideBySide: [left, right]), in: context)
    #expect(together.array == (try layer(Tensor([5, 64], rows), in: context)).array)
  }

  @Test func integerSumsDoNotSaturate() throws {
    let weight = try Self.quantized(Tensor([1, 512], [Float](repeating: 1, count: 512)), .int8)
    let layer = Linear(weight: weight, bias: nil)
    let product = try layer(Tensor([1, 512], [Float](repeating: 1, count: 512)), in: context)
    #expect(abs(product.array[0] - 512) < 1e-3)
    let damaged = Tensor([1, 512], [Float](repeating: 1, count: 511) + [.nan])
    #expect(try layer(damaged, in: context).array[0].isNaN)
  }

  /// More weights than are widened at a time.
  @Test func wideMatricesAreMultipliedInTiles() throws {
    let (inputs, outputs) = (4096, 1500)
    let x = Self.random([3, inputs], seed: 1)
    let weight = try Self.weight(Self.random([outputs, inputs], seed: 2), .bf16)
    let residual = Self.random([3, outputs], seed: 3)
    let output = residual.copy()
    let expected = zip(Self.product(x, weight.tensor(), nil), residual.array).map { $0 + Double($1) }
    try Linear(weight: weight, bias: nil)(
      LinearInput(x), into: output, then: [.residual], in: context)
    Self.expectClose(output, expected)
  }

  @Test(arguments: [ElementType.f32, .bf16, .f16], [1, 7, 64])
  func linear(type: ElementType, rows: Int) throws {
    let x = Self.random([rows, 96], seed: 1)
    let weight = try Self.weight(Self.random([50, 96], seed: 2), type)
    let bias = try Self.weight(Self.random([50], seed: 3), type)
    let expected = Self.product(x, weight.tensor(), bias.tensor())
    let layer = Linear(weight: weight, bias: bias)
    Self.expectClose(try layer(x, in: context), expected)
    let geluTanh = expected.map { 0.5 * $0 * (1 + tanh(0.7978845608028654 * ($0 + 0.044715 * $0 * $0 * $0))) }
    Self.expectClose(try layer(x, then: [.activation(.geluTanh)], in: context), geluTanh)
    let silu = expected.map { $0 / (1 + exp(-$0)) }
    Self.expectClose(try layer(x, then: [.activation(.silu)], in: context), silu)
    let quick = expected.map { $0 / (1 + exp(-1.702 * $0)) }
    Self.expectClose(try layer(x, then: [.activation(.quickGELU)], in: context), quick)
    let gelu = expected.map { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }
    Self.expectClose(try layer(x, then: [.activation(.gelu)], in: context), gelu)
    let factor = Self.random([rows, 50], seed: 4)
    Self.expectClose(
      try layer(x, then: [.multiply(factor)], in: context),
      zip(expected, factor.elements).map { $0 * Double($1) })
  }

  @Test func linearAddsToResiduals() throws {
    let x = Self.random([5, 32], seed: 5)
    let weight = try Self.weight(Self.random([16, 32], seed: 6))
    let layer = Linear(weight: weight, bias: nil)
    let product = Self.product(x, weight.tensor(), nil)
    let gates = [Self.random([16], seed: 7), Self.random([16], seed: 8)]
    let output = Self.random([5, 16], seed: 9)
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
    Self.expectClose(output, expected)
  }

  private static func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int, blocks: [AttentionBlock], scale: Double, bias: Tensor?
  ) -> [Double] {
    let (tokens, width) = (q.shape[0], q.shape[1])
    let headDim = width / heads
    var expected = [Double](repeating: 0, count: q.count)
    for block in blocks {
      for query in block.queries {
        for head in 0..<heads {
          let scores = (0..<block.keys).map { key -> Double in
            let dot = (0..<headDim).reduce(0.0) {
              $0 + Double(q.elements[query * width + head * headDim + $1])
                * Double(k.elements[key * width + head * headDim + $1])
            }
            let place = (head * tokens + query) * tokens + key
            return exp(scale * dot + (bias.map { Double($0.elements[place]) } ?? 0))
          }
          let sum = scores.reduce(0, +)
          for dim in 0..<headDim {
            expected[query * width + head * headDim + dim] = scores.enumerated().reduce(0) {
              $0 + $1.element / sum * Double(v.elements[$1.offset * width + head * headDim + dim])
            }
          }
        }
      }
    }
    return expected
  }

  @Test(arguments: [1, 3])
  func attentionSeesOnlyItsBlocks(heads: Int) throws {
    let (tokens, headDim) = (11, 8)
    let shape = [tokens, heads * headDim]
    let (q, k, v) = (Self.random(shape, seed: 1), Self.random(shape, seed: 2), Self.random(shape, seed: 3))
    let bias = Self.random([heads, tokens, tokens], seed: 4)
    let blocks = [
      AttentionBlock(queries: 0..<4, keys: 4), .init(queries: 4..<9, keys: 9),
      .init(queries: 9..<11, keys: 11),
    ]
    let result = try context.attention(
      AttentionInput(query: q, key: k, value: v, heads: heads), blocks: blocks, scale: 0.3, bias: bias)
    let expected = Self.attention(q, k, v, heads: heads, blocks: blocks, scale: 0.3, bias: bias)
    Self.expectClose(result, expected)
  }

  /// More heads than threads, blocks longer and shorter than what a thread takes at a time, and a NaN that must show.
  @Test(arguments: [(1, 16), (3, 64), (5, 20)])
  func roundedAttention(heads: Int, headDim: Int) throws {
    let shape = [531, heads * headDim]
    let (q, k, v) = (Self.random(shape, seed: 1), Self.random(shape, seed: 2), Self.random(shape, seed: 3))
    let blocks = [
      AttentionBlock(queries: 0..<130, keys: 130), .init(queries: 130..<520, keys: 520),
      .init(queries: 520..<531, keys: 531),
    ]
    func result() throws -> Tensor {
      try context.attention(
        AttentionInput(query: q, key: k, value: v, heads: heads, isRounded: true), blocks: blocks, scale: 0.3)
    }
    let expected = Self.attention(q, k, v, heads: heads, blocks: blocks, scale: 0.3, bias: nil)
    Self.expectClose(try result(), expected, KernelContext.multipliesBFloat16 ? 2e-5 : 1e-11)
    q.elements[200 * shape[1]] = .nan
    let spoiled = try result()
    #expect(spoiled.elements[200 * shape[1]].isNaN && !spoiled.elements[199 * shape[1]].isNaN)
  }

  private static func convolution(
    _ x: Tensor, _ weights: Tensor, _ bias: Tensor, stride: [Int], timePadding: Int, output shape: Shape
  ) -> [Double] {
    let (time, height, width, inputs) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    var expected: [Double] = []
    for t in 0..<shape[0] {
      for h in 0..<shape[1] {
        for w in 0..<shape[2] {
          for output in 0..<shape[3] {
            var sum = Double(bias.elements[output])
            for tap in 0..<27 {
              let source = [
                t * stride[0] + tap / 9 - timePadding, h * stride[1] + tap / 3 % 3 - 1,
                w * stride[2] + tap % 3 - 1,
              ]
              guard 0..<time ~= source[0], 0..<height ~= source[1], 0..<width ~= source[2] else { continue }
              for input in 0..<inputs {
                sum +=
                  Double(x.elements[((source[0] * height + source[1]) * width + source[2]) * inputs + input])
                  * Double(weights.elements[(output * inputs + input) * 27 + tap])
              }
            }
            expected.append(sum)
          }
        }
      }
    }
    return expected
  }

  @Test(arguments: [([1, 1, 1], 2), ([1, 2, 2], 2), ([2, 1, 1], 1), ([1, 1, 1], 0)])
  func convolution(stride: [Int], timePadding: Int) throws {
    let x = Self.random([4, 6, 8, 5], seed: 1)
    let (weights, bias) = (Self.random([6, 5, 3, 3, 3], seed: 2), Self.random([6], seed: 3))
    let layer = Convolution3D(weight: try Self.weight(weights), bias: try Self.weight(bias), stride: stride)
    let result = try layer(x, timePadding: timePadding, in: context)
    let expected = Self.convolution(
      x, weights, bias, stride: stride, timePadding: timePadding, output: result.shape)
    Self.expectClose(result, expected)
    let residual = Self.random(result.shape, seed: 4)
    let sum = zip(residual.array, expected).map { Double($0) + $1 }
    Self.expectClose(try layer(x, timePadding: timePadding, addingTo: residual, in: context), sum)
  }

  /// Sizes that tiles of 2×2 do not divide, more tiles than are multiplied at a time, frames of zeros in front or none.
  @Test(arguments: [
    ([4, 5, 7, 5], 6, 2), ([3, 6, 8, 33], 20, 1), ([3, 21, 2, 1], 3, 0), ([3, 33, 35, 700], 2, 2),
  ])
  func roundedConvolution(shape: Shape, outputs: Int, timePadding: Int) throws {
    let x = Self.random(shape, seed: 1)
    let (weights, bias) = (
      Self.random([outputs, shape[3], 3, 3, 3], seed: 2), Self.random([outputs], seed: 3)
    )
    let layer = Convolution3D(
      weight: try Self.weight(weights, .bf16).using(.bf16), bias: try Self.weight(bias))
    let result = try layer(x, timePadding: timePadding, in: context)
    #expect(result.shape == [shape[0] + timePadding - 2, shape[1], shape[2], outputs])
    let stored = try Self.weight(weights, .bf16).tensor()
    let expected = Self.convolution(
      x, stored, bias, stride: [1, 1, 1], timePadding: timePadding, output: result.shape)
    // A sum of taps in bf16 would have about 5e-6.
    Self.expectClose(result, expected, KernelContext.multipliesBFloat16 ? 3e-5 : 1e-11)
    let residual = Self.random(result.shape, seed: 4)
    let sum = zip(residual.array, expected).map { Double($0) + $1 }
    let added = try layer(x, timePadding: timePadding, addingTo: residual, in: context)
    #expect(added === residual)
    Self.expectClose(added, sum, KernelContext.multipliesBFloat16 ? 3e-5 : 1e-11)
    #expect(context.workload.convolution > 0)
  }

  @Test(arguments: [1, 37, 64])
  func rowNorms(width: Int) {
    let x = Self.random([3, width], seed: 1).map { 5 * $0 + 3 }
    let (a, b) = (Self.random([width], seed: 2), Self.random([width], seed: 3))
    func expected(
      _ value: (_ x: Double, _ a: Double, _ b: Double, _ mean: Double, _ sd: Double, _ rms: Double) -> Double
    )
      -> [Double]
    {
      (0..<3).flatMap { row -> [Double] in
        let values = x.rows(row..<row + 1).elements.map(Double.init)
        let mean = values.reduce(0, +) / Double(width)
        let sd = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width) + 1e-6).squareRoot()
        let rms = (values.reduce(0) { $0 + $1 * $1 } / Double(width) + 1e-6).squareRoot()
        return (0..<width).map {
          value(values[$0], Double(a.elements[$0]), Double(b.elements[$0]), mean, sd, rms)
        }
      }
    }
    if width > 1 {
      let modulated = Tensor(x.shape)
      Normalization.layerNorm(x, scale: a, shift: b, epsilon: 1e-6, into: modulated)
      Self.expectClose(
        modulated,
        expected { x, a, b, mean, sd, _ in (x - mean) / sd * (1 + a) + b })
      Self.expectClose(
        Normalization.layerNorm(x, weight: a, bias: b, epsilon: 1e-6),
        expected { x, a, b, mean, sd, _ in (x - mean) / sd * a + b })
    }
    Self.expectClose(
      Normalization.rmsNorm(x, weight: a, epsilon: 1e-6), expected { x, a, _, _, _, rms in x / rms * a })
  }

  @Test(arguments: [false, true])
  func groupNorm(activates: Bool) {
    let x = Self.random([2, 3, 5, 6], seed: 1).map { $0 * 20 }
    let (weight, bias) = (Self.random([6], seed: 2), Self.random([6], seed: 3))
    let result = Normalization.groupNorm(
      x, groups: 3, weight: weight, bias: bias, epsilon: 1e-6, activates: activates)
    var expected: [Double] = []
    for frame in 0..<2 {
      let values = x.rows(frame..<frame + 1).elements.map(Double.init)
      let stats = (0..<3).map { group -> (Double, Double) in
        let members = values.enumerated().filter { $0.offset % 6 / 2 == group }.map(\.element)
        let mean = members.reduce(0, +) / Double(members.count)
        let variance = members.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(members.count)
        return (mean, (variance + 1e-6).squareRoot())
      }
      expected += values.enumerated().map { index, value in
        let channel = index % 6
        let (mean, deviation) = stats[channel / 2]
        let y = (value - mean) / deviation * Double(weight.elements[channel]) + Double(bias.elements[channel])
        return activates ? y / (1 + exp(-y)) : y
      }
    }
    Self.expectClose(result, expected)
  }

  @Test func rotationKeepsLengthsAndTurns() {
    let x = Tensor([1, 4], [1, 0, 0, 2])
    RotaryEmbedding.rotate(x, cosines: Tensor([1, 2], [0, 1]), sines: Tensor([1, 2], [1, 0]), heads: 1)
    #expect(x.array == [0, 1, 0, 2])
  }

  @Test func extremeActivationsStayFinite() {
    let x = Tensor([1, 1, 4, 2], [-1e4, 1e4, -100, 100, -1, 1, 0, 0])
    let result = Normalization.groupNorm(
      x, groups: 1, weight: Tensor([2], [300, 300]), bias: Tensor([2], [0, 0]), epsilon: 1e-6, activates: true
    )
    let areFinite = result.elements.allSatisfy(\.isFinite)
    #expect(areFinite)
  }
}
