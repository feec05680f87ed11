import CDNNL
import CKernelLoops
import Tensors

extension KernelContext {
  /// Rows of scores that one thread holds at a time; they should stay in its cache.
  private static let rowsAtOnce = 256

  /// softmax(scale·Q·Kᵀ)·V with queries, keys, values and probabilities rounded to bf16 and sums in f32; every thread takes
  /// heads of its own.
  ///
  /// - Returns: [tokens, heads·headDim].
  func roundedAttention(_ input: AttentionInput, blocks: [AttentionBlock], scale: Float) throws -> Tensor {
    let (queries, width) = (input.query.shape[0], input.query.shape[1])
    let (keys, headDim) = (input.key.shape[0], width / input.heads)
    let output = Tensor(input.query.shape)
    let tiles = try blocks.flatMap { block in
      try stride(from: block.queries.lowerBound, to: block.queries.upperBound, by: Self.rowsAtOnce).map {
        start in
        try AttentionTile(
          rows: start..<min(start + Self.rowsAtOnce, block.queries.upperBound), keys: block.keys,
          headDim: headDim,
          width: width, in: self)
      }
    }
    let scoreCount = tiles.map { $0.rows.count * $0.keys }.max() ?? 0
    let scratchSize = tiles.map(\.scratchSize).max() ?? 0
    let failures = FailureList()
    parallelFor(KernelContext.threads) { worker in
      let memory = HeadMemory(
        queries: queries, keys: keys, headDim: headDim, scores: scoreCount, scratchSize: scratchSize)
      do {
        for head in Swift.stride(from: worker, to: input.heads, by: KernelContext.threads) {
          memory.load(input, head: head, scale: scale)
          for tile in tiles {
            let target = output.elements.baseAddress.map {
              $0 + tile.rows.lowerBound * width + head * headDim
            }
            try tile.attend(memory, into: target, in: self)
          }
        }
      } catch {
        failures.add(error)
      }
    }
    if let failure = failures.first { throw failure }
    return output
  }
}

/// One thread's copy of a head in bf16, row by row, and its scores.
private final class HeadMemory {
  let query: FloatBuffer, key: FloatBuffer, value: FloatBuffer
  let scores: FloatBuffer, probabilities: FloatBuffer, inverseSums: FloatBuffer
  let scratch: FloatBuffer
  private let headDim: Int

  init(queries: Int, keys: Int, headDim: Int, scores count: Int, scratchSize: Int) {
    // Two numbers in bf16 take the place of one in f32.
    query = FloatBuffer(count: (queries * headDim + 1) / 2)
    key = FloatBuffer(count: (keys * headDim + 1) / 2)
    value = FloatBuffer(count: (keys * headDim + 1) / 2)
    scores = FloatBuffer(count: count)
    probabilities = FloatBuffer(count: (count + 1) / 2)
    inverseSums = FloatBuffer(count: max(queries, 1))
    scratch = FloatBuffer(count: (scratchSize + 3) / 4)
    self.headDim = headDim
  }

  /// Brings the head's columns over.
  func load(_ input: AttentionInput, head: Int, scale: Float) {
    for (tensor, factor, buffer) in [
      (input.query, scale, query), (input.key, 1, key), (input.value, 1, value),
    ] {
      let (rows, width) = (tensor.shape[0], tensor.shape[1])
      bb_round_columns(
        tensor.elements.baseAddress.map { $0 + head * headDim }, width, factor,
        buffer.address.assumingMemoryBound(to: UInt16.self), rows, headDim)
    }
  }
}

/// Some queries of a head and the keys that they see: two products and what lies between them.
private struct AttentionTile {
  let rows: Range<Int>
  let keys: Int
  private let headDim: Int, width: Int
  private let scores: Primitive, sums: Primitive
  private let views:
    (query: Layout, key: Layout, scores: Layout, probabilities: Layout, value: Layout, output: Layout)

  init(rows: Range<Int>, keys: Int, headDim: Int, width: Int, in context: KernelContext) throws {
    self.rows = rows
    self.keys = keys
    self.headDim = headDim
    self.width = width
    let count = rows.count
    views = (
      query: Layout([count, headDim], .bf16), key: Layout([headDim, keys], strides: [1, headDim], .bf16),
      scores: Layout([count, keys]), probabilities: Layout([count, keys], .bf16),
      value: Layout([keys, headDim], .bf16), output: Layout([count, headDim], strides: [width, 1])
    )
    scores = try context.serialProduct(views.query, views.key, views.scores)
    sums = try context.serialProduct(views.probabilities, views.value, views.output)
  }

  /// The scratch memory of the products, in bytes.
  var scratchSize: Int { max(scores.scratchSize, sums.scratchSize) }

  /// Computes one head's share of the rows.
  func attend(_ head: HeadMemory, into target: UnsafeMutablePointer<Float>?, in context: KernelContext) throws
  {
    let query = head.query.address + rows.lowerBound * headDim * 2
    try context.execute(
      scores,
      [
        .init(DNNL_ARG_SRC, try views.query.descriptor(), query),
        .init(DNNL_ARG_WEIGHTS, try views.key.descriptor(), head.key.address),
        .init(DNNL_ARG_DST, try views.scores.descriptor(), head.scores.address),
        try scores.scratch(head.scratch.address),
      ], "attention scores")
    let inverseSums = head.inverseSums.address.assumingMemoryBound(to: Float.self)
    bb_softmax_bfloat16(
      head.scores.address.assumingMemoryBound(to: Float.self),
      head.probabilities.address.assumingMemoryBound(to: UInt16.self), inverseSums, rows.count, keys)
    try context.execute(
      sums,
      [
        .init(DNNL_ARG_SRC, try views.probabilities.descriptor(), head.probabilities.address),
        .init(DNNL_ARG_WEIGHTS, try views.value.descriptor(), head.value.address),
        .init(DNNL_ARG_DST, try views.output.descriptor(), target.map { UnsafeMutableRawPointer($0) }),
        try sums.scratch(head.scratch.address),
      ], "attention sums")
    bb_scale_rows(target, width, inverseSums, rows.count, headDim)
  }
}
