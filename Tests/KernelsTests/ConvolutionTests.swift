import CKernelLoops
import Files
import Foundation
import TestSupport
import Testing

@testable import Kernels
@testable import Tensors

struct ConvolutionTests {
  private let context: KernelContext

  init() throws { context = try KernelContext() }

  @Test(arguments: [([1, 1, 1], 2), ([1, 2, 2], 2), ([2, 1, 1], 1), ([1, 1, 1], 0)])
  func convolution(stride: [Int], timePadding: Int) throws {
    let x = KernelReference.random([4, 6, 8, 5], seed: 1)
    let (weights, bias) = (
      KernelReference.random([6, 5, 3, 3, 3], seed: 2), KernelReference.random([6], seed: 3)
    )
    let layer = Convolution3D(
      weight: try KernelReference.weight(weights), bias: try KernelReference.weight(bias), stride: stride)
    let result = try layer(x, timePadding: timePadding, in: context)
    let expected = KernelReference.convolution(
      x, weights, bias, stride: stride, timePadding: timePadding, output: result.shape)
    KernelReference.expectClose(result, expected)
    let residual = KernelReference.random(result.shape, seed: 4)
    let sum = zip(residual.array, expected).map { Double($0) + $1 }
    KernelReference.expectClose(try layer(x, timePadding: timePadding, addingTo: residual, in: context), sum)
  }

  /// Sizes that tiles and panels do not divide, more tiles or kernels than are multiplied at a time, frames of zeros in front or none.
  @Test(arguments: [
    ([4, 5, 7, 5], 6, 2), ([3, 6, 8, 33], 20, 1), ([3, 21, 2, 1], 3, 0), ([3, 33, 35, 700], 2, 2),
    ([1, 3, 3, 512], 300, 2), ([3, 3, 2, 512], 640, 2),
  ])
  func roundedConvolution(shape: Shape, outputs: Int, timePadding: Int) throws {
    let x = KernelReference.random(shape, seed: 1)
    let (weights, bias) = (
      KernelReference.random([outputs, shape[3], 3, 3, 3], seed: 2),
      KernelReference.random([outputs], seed: 3)
    )
    let layer = Convolution3D(
      weight: try KernelReference.weight(weights, .bf16).using(.bf16), bias: try KernelReference.weight(bias))
    let result = try layer(x, timePadding: timePadding, in: context)
    #expect(result.shape == [shape[0] + timePadding - 2, shape[1], shape[2], outputs])
    let stored = try KernelReference.weight(weights, .bf16).tensor()
    let expected = KernelReference.convolution(
      x, stored, bias, stride: [1, 1, 1], timePadding: timePadding, output: result.shape)
    // Measured: at most 5.4e-6, of which rounding the frames to bf16 is some 3e-6.
    KernelReference.expectClose(result, expected, 7e-6)
    let residual = KernelReference.random(result.shape, seed: 4)
    let sum = zip(residual.array, expected).map { Double($0) + $1 }
    let added = try layer(x, timePadding: timePadding, addingTo: residual, in: context)
    #expect(added === residual)
    KernelReference.expectClose(added, sum, 7e-6)
    #expect(context.operations.convolution > 0)
  }

  private func product(
    _ x: [Int16], _ rowScales: [Float], _ panels: [Int16], _ columnScales: [Float], inputs: Int,
    _ instructions: bb_instructions
  ) -> [Float] {
    let outputs = columnScales.count
    var products = [Float](repeating: .nan, count: rowScales.count * outputs)
    bb_winograd_product(
      x, rowScales, rowScales.count, panels, columnScales, inputs, outputs, &products, instructions)
    return products
  }

  /// Products of tiles have the same bits with all instructions, those of the definition; sizes that tiles and chunks do not divide.
  @Test(arguments: [(1, 16, 3), (2, 32, 130), (6, 64, 128), (13, 80, 129), (11, 128, 300), (132, 144, 64)])
  func tileProducts(rows: Int, outputs: Int, inputs: Int) {
    var generator = SystemRandomNumberGenerator()
    let (limit, panel, stride) = (
      Int16(BB_WINOGRAD_LIMIT), Int(BB_WINOGRAD_PANEL), inputs.roundedUp(to: 2)
    )
    func numbers(_ count: Int) -> [Int16] {
      (0..<count).map { _ in Int16.random(in: -limit...limit, using: &generator) }
    }
    var x = numbers(rows * stride)
    let panels = numbers(outputs * stride)
    for row in 0..<rows where stride > inputs { x[row * stride + inputs] = 0 }
    let rowScales = KernelReference.random([rows], seed: 1).array
    let columnScales = KernelReference.random([outputs], seed: 2).array
    func weight(_ output: Int, _ input: Int) -> Int {
      let (row, column) = (input / 2 * panel + output % panel, input % 2)
      return Int(panels[output / panel * panel * stride + row * 2 + column])
    }
    func sum(_ row: Int, _ output: Int, _ inputs: Range<Int>) -> Float {
      let exact = inputs.reduce(0) { $0 + Int(x[row * stride + $1]) * weight(output, $1) }
      return Float(exact) * (rowScales[row] * columnScales[output])
    }
    let expected = (0..<rows * outputs).map { place -> Float in
      let chunks = Swift.stride(from: 0, to: inputs, by: Int(BB_WINOGRAD_CHUNK)).map { start in
        sum(place / outputs, place % outputs, start..<min(start + Int(BB_WINOGRAD_CHUNK), inputs))
      }
      return chunks.dropFirst().reduce(chunks[0], +)
    }
    for instructions in KernelReference.instructions {
      #expect(product(x, rowScales, panels, columnScales, inputs: inputs, instructions) == expected)
    }
  }

  /// The largest numbers, in sums as long as are promised to be exact.
  @Test func tileSumsDoNotOverflow() {
    let (limit, inputs, outputs) = (Int16(BB_WINOGRAD_LIMIT), Int(BB_WINOGRAD_CHUNK), Int(BB_WINOGRAD_PANEL))
    let x = [Int16](repeating: -limit, count: inputs), ones = [Float](repeating: 1, count: outputs)
    let panels = [Int16](repeating: limit, count: inputs * outputs)
    let sum = Float(-Int(limit) * Int(limit) * inputs)
    for instructions in KernelReference.instructions {
      let result = product(x, [1], panels, ones, inputs: inputs, instructions)
      #expect(result == [Float](repeating: sum, count: outputs))
    }
  }

  /// A number that is none spoils what depends on it, and no earlier frame that does not.
  @Test(arguments: [Float.nan, .infinity])
  func damagedPixels(value: Float) throws {
    let x = KernelReference.random([3, 9, 9, 5], seed: 1)
    let layer = Convolution3D(
      weight: try KernelReference.weight(KernelReference.random([6, 5, 3, 3, 3], seed: 2), .bf16).using(
        .bf16),
      bias: try KernelReference.weight(KernelReference.random([6], seed: 3)))
    let expected = try layer(x, timePadding: 2, in: context)
    let (frame, last) = (9 * 9, 3 * 9 * 9 - 1)
    x.elements[last * 5] = value
    let result = try layer(x, timePadding: 2, in: context).array
    #expect(result[(last * 6)...].allSatisfy { !$0.isFinite })
    #expect(result[..<(frame * 6)] == expected.array[..<(frame * 6)])
  }

  /// A clip in one piece, after its first frame, and frame by frame: the same bits, whichever frames were computed together.
  @Test(arguments: [[1, 6], [1, 1, 1, 1, 1, 1, 1], [3, 3, 1], [2, 5]])
  func resultsDoNotDependOnPieces(pieces: [Int]) throws {
    let x = KernelReference.random([7, 6, 5, 9], seed: 1)
    let weights = KernelReference.random([6, 9, 3, 3, 3], seed: 2)
    let layer = Convolution3D(
      weight: try KernelReference.weight(weights, .bf16).using(.bf16),
      bias: try KernelReference.weight(KernelReference.random([6], seed: 3)))
    let whole = try layer(x, timePadding: 2, in: context)
    let memory = TemporalContext()
    var results: [Float] = []
    var start = 0
    for length in pieces {
      let piece = x.rows(start..<start + length)
      results += try layer(piece, after: memory, timePadding: 2 - memory.count, in: context).array
      start += length
    }
    #expect(results == whole.array)
  }
}
