import CDNNL
import CKernelLoops
import Tensors

extension KernelContext {
  /// The number of scores one thread holds at a time: with fewer rows, rearranging keys and values for each product costs
  /// more than scores that leave the second-level cache.
  private static let wideScoresAtOnce = 1 << 20

  /// Computes softmax(scale·Q·Kᵀ)·V in f32; one thread computes each head.
  func wideAttention(
    _ input: AttentionInput, blocks: [AttentionBlock], scale: Float, into output: Tensor
  ) throws {
    let width = input.query.shape[1]
    let tiles = try blocks.flatMap { block in
      let rowsAtOnce = max(32, Self.wideScoresAtOnce / max(block.keys, 1) / 32 * 32)
      return try stride(from: block.queries.lowerBound, to: block.queries.upperBound, by: rowsAtOnce).map {
        try WideAttentionTile(
          rows: $0..<min($0 + rowsAtOnce, block.queries.upperBound), keys: block.keys,
          headDim: width / input.heads, width: width, in: self)
      }
    }
    let scoreCount = tiles.map { $0.rows.count * $0.keys }.max() ?? 0
    let scratchSize = tiles.map(\.scratchSize).max() ?? 0
    // The biggest tiles first, so that no thread is left with one at the end.
    let items = tiles.sorted { $0.rows.count * $0.keys > $1.rows.count * $1.keys }
      .flatMap { tile in (0..<input.heads).map { (tile, head: $0) } }
    try parallelItems(items.count) { _, next in
      let (scores, scratch) = (
        ScratchBuffer<Float>(count: scoreCount), ScratchBuffer<UInt8>(count: scratchSize)
      )
      while let index = next() {
        let (tile, head) = items[index]
        try tile.attend(input, head: head, scale: scale, scores, scratch, into: output, in: self)
      }
    }
  }
}

/// Some queries and the keys that they see: two products with a softmax between them, the same for every head.
private struct WideAttentionTile {
  let rows: Range<Int>
  let keys: Int
  private let headDim: Int
  private let scores: Primitive, sums: Primitive
  /// The layouts of the products' operands and results.
  private let query: LayoutDescriptor, key: LayoutDescriptor, score: LayoutDescriptor
  private let value: LayoutDescriptor

  init(rows: Range<Int>, keys: Int, headDim: Int, width: Int, in context: KernelContext) throws {
    self.rows = rows
    self.keys = keys
    self.headDim = headDim
    let query = Layout([rows.count, headDim], strides: [width, 1]), score = Layout([rows.count, keys])
    let key = Layout([headDim, keys], strides: [1, width])
    let value = Layout([keys, headDim], strides: [width, 1])
    scores = try context.serialProduct(query, key, score)
    sums = try context.serialProduct(score, value, query)
    self.query = try query.descriptor()
    self.key = try key.descriptor()
    self.score = try score.descriptor()
    self.value = try value.descriptor()
  }

  /// The scratch memory that the products need, in bytes.
  var scratchSize: Int { max(scores.scratchSize, sums.scratchSize) }

  /// Computes these rows of one head's output.
  func attend(
    _ input: AttentionInput, head: Int, scale: Float, _ scoreMemory: ScratchBuffer<Float>,
    _ scratch: ScratchBuffer<UInt8>, into output: Tensor, in context: KernelContext
  ) throws {
    func column(_ tensor: Tensor, row: Int) -> UnsafeMutablePointer<Float>? {
      tensor.pointer(row: row).map { $0 + head * headDim }
    }
    try context.execute(
      scores,
      [
        .init(DNNL_ARG_SRC, query, column(input.query, row: rows.lowerBound)),
        .init(DNNL_ARG_WEIGHTS, key, column(input.key, row: 0)),
        .init(DNNL_ARG_DST, score, scoreMemory.base), scores.scratch(scratch.base),
      ], "attention scores")
    bb_softmax(scoreMemory.base, scale, rows.count, keys)
    try context.execute(
      sums,
      [
        .init(DNNL_ARG_SRC, score, scoreMemory.base),
        .init(DNNL_ARG_WEIGHTS, value, column(input.value, row: 0)),
        .init(DNNL_ARG_DST, query, column(output, row: rows.lowerBound)), sums.scratch(scratch.base),
      ], "attention sums")
  }
}
