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

  /// Sizes that tiles of 2×2 and 4×4 do not divide, more tiles or kernels than are multiplied at a time, frames of zeros in front or none.
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
    // Measured: at most 3.2e-5; a sum of taps in bf16 would have about 5e-6.
    KernelReference.expectClose(result, expected, KernelContext.multipliesBFloat16 ? 5e-5 : 1e-9)
    let residual = KernelReference.random(result.shape, seed: 4)
    let sum = zip(residual.array, expected).map { Double($0) + $1 }
    let added = try layer(x, timePadding: timePadding, addingTo: residual, in: context)
    #expect(added === residual)
    KernelReference.expectClose(added, sum, KernelContext.multipliesBFloat16 ? 5e-5 : 1e-9)
    #expect(context.operations.convolution > 0)
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
