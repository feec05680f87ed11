import Files
import Foundation
import TestSupport
import Testing

@testable import Kernels
@testable import Tensors

struct AttentionTests {
  private let context: KernelContext

  init() throws { context = try KernelContext() }

  @Test(arguments: [1, 3])
  func attentionSeesOnlyItsBlocks(heads: Int) throws {
    let (tokens, headDim) = (11, 8)
    let shape = [tokens, heads * headDim]
    let (q, k, v) = (
      KernelReference.random(shape, seed: 1), KernelReference.random(shape, seed: 2),
      KernelReference.random(shape, seed: 3)
    )
    let bias = KernelReference.random([heads, tokens, tokens], seed: 4)
    let blocks = [
      AttentionBlock(queries: 0..<4, keys: 4), .init(queries: 4..<9, keys: 9),
      .init(queries: 9..<11, keys: 11),
    ]
    let result = try context.attention(
      AttentionInput(query: q, key: k, value: v, heads: heads), blocks: blocks, scale: 0.3, bias: bias)
    let expected = KernelReference.attention(q, k, v, heads: heads, blocks: blocks, scale: 0.3, bias: bias)
    KernelReference.expectClose(result, expected)
  }

  /// More heads than threads, blocks longer and shorter than what a thread takes at a time, and a NaN that must show.
  @Test(arguments: [true, false], [(1, 16), (3, 64), (5, 20)])
  func attentionInTiles(isRounded: Bool, _ size: (heads: Int, headDim: Int)) throws {
    let (heads, headDim) = size
    let shape = [531, heads * headDim]
    let (q, k, v) = (
      KernelReference.random(shape, seed: 1), KernelReference.random(shape, seed: 2),
      KernelReference.random(shape, seed: 3)
    )
    let blocks = [
      AttentionBlock(queries: 0..<130, keys: 130), .init(queries: 130..<520, keys: 520),
      .init(queries: 520..<531, keys: 531),
    ]
    func result() throws -> Tensor {
      try context.attention(
        AttentionInput(query: q, key: k, value: v, heads: heads, isRounded: isRounded), blocks: blocks,
        scale: 0.3)
    }
    let expected = KernelReference.attention(q, k, v, heads: heads, blocks: blocks, scale: 0.3, bias: nil)
    KernelReference.expectClose(
      try result(), expected, isRounded && KernelContext.multipliesBFloat16 ? 2e-5 : 1e-11)
    q.elements[200 * shape[1]] = .nan
    let spoiled = try result()
    #expect(spoiled.elements[200 * shape[1]].isNaN && !spoiled.elements[199 * shape[1]].isNaN)
  }
}
