import CDNNL
import CKernelLoops
import Tensors

extension KernelContext {
  /// The number of scores one thread holds at a time; together with its other buffers they should stay in its cache.
  private static let scoresAtOnce = 1 << 18

  /// Computes softmax(scale·Q·Kᵀ)·V with queries, keys, values and probabilities rounded to bf16 and sums in f32; one
  /// thread computes each head.
  func roundedAttention(
    _ input: AttentionInput, blocks: [AttentionBlock], scale: Float, into output: Tensor
  ) throws {
    let (queries, width) = (input.query.shape[0], input.query.shape[1])
    let headDim = width / input.heads
    let tiles = try blocks.flatMap { block in
      let rowsAtOnce = max(16, Self.scoresAtOnce / max(block.keys, 1) / 16 * 16)
      return try stride(from: block.queries.lowerBound, to: block.queries.upperBound, by: rowsAtOnce).map {
        start in
        try AttentionTile(
          rows: start..<min(start + rowsAtOnce, block.queries.upperBound), keys: block.keys,
          headDim: headDim, width: width, in: self)
      }
    }
    let scoreCount = tiles.map { $0.rows.count * $0.keys }.max() ?? 0
    let scratchSize = tiles.map(\.scratchSize).max() ?? 0
    try parallelItems(input.heads) { _, next in
      let memory = HeadMemory(
        queries: queries, keys: input.key.shape[0], headDim: headDim, scores: scoreCount,
        scratchSize: scratchSize)
      while let head = next() {
        memory.load(input, head: head, scale: scale)
        for (index, tile) in tiles.enumerated() {
          if index == 0 || tile.keys != tiles[index - 1].keys {
            memory.loadValues(input, head: head, count: tile.keys)
          }
          let target = output.elements.baseAddress.map { $0 + tile.rows.lowerBound * width + head * headDim }
          try tile.attend(memory, into: target, in: self)
        }
      }
    }
  }
}

/// One thread's copy of a head in bf16, with its scores: queries row by row, keys and values in the layout of a
/// product's right factor.
private final class HeadMemory {
  let query: ScratchBuffer<UInt16>, key: ScratchBuffer<UInt16>, value: ScratchBuffer<UInt16>
  let scores: ScratchBuffer<Float>, inverseSums: ScratchBuffer<Float>, sums: ScratchBuffer<Float>
  let probabilities: ScratchBuffer<UInt16>
  let scratch: ScratchBuffer<UInt8>
  private let headDim: Int

  init(queries: Int, keys: Int, headDim: Int, scores count: Int, scratchSize: Int) {
    func padded(_ value: Int, to multiple: Int) -> Int { (value + multiple - 1) / multiple * multiple }
    query = ScratchBuffer(count: queries * headDim)
    key = ScratchBuffer(count: padded(headDim, to: 32) * padded(keys, to: 64))
    value = ScratchBuffer(count: padded(keys, to: 32) * padded(headDim, to: 64))
    scores = ScratchBuffer(count: count)
    probabilities = ScratchBuffer(count: count)
    inverseSums = ScratchBuffer(count: max(queries, 1))
    sums = ScratchBuffer(count: max(queries, 1) * headDim)
    scratch = ScratchBuffer(count: scratchSize)
    self.headDim = headDim
  }

  /// Copies the head's queries and keys; the first keys are laid out as if they were the only ones.
  func load(_ input: AttentionInput, head: Int, scale: Float) {
    let (query, key) = (input.query, input.key)
    bb_round_columns(
      query.elements.baseAddress.map { $0 + head * headDim }, query.shape[1], scale, self.query.base,
      query.shape[0], headDim)
    bb_block_transposed_columns(
      key.elements.baseAddress.map { $0 + head * headDim }, key.shape[1], self.key.base, key.shape[0],
      headDim)
  }

  /// Copies the first `count` of the head's values.
  func loadValues(_ input: AttentionInput, head: Int, count: Int) {
    bb_block_columns(
      input.value.elements.baseAddress.map { $0 + head * headDim }, input.value.shape[1], value.base,
      count, headDim)
  }
}

/// Some queries of a head and the keys that they see: two products with a softmax between them.
private struct AttentionTile {
  let rows: Range<Int>
  let keys: Int
  private let headDim: Int, width: Int
  private let scores: Primitive, sums: Primitive
  /// The layouts of the products' operands and results; created once, as every head needs them.
  private let query: LayoutDescriptor, key: LayoutDescriptor, score: LayoutDescriptor
  private let probability: LayoutDescriptor, value: LayoutDescriptor, output: LayoutDescriptor

  init(rows: Range<Int>, keys: Int, headDim: Int, width: Int, in context: KernelContext) throws {
    self.rows = rows
    self.keys = keys
    self.headDim = headDim
    self.width = width
    let query = Layout([rows.count, headDim], .bf16), key = Layout(blocks: [headDim, keys], .bf16)
    let probability = Layout([rows.count, keys], .bf16), value = Layout(blocks: [keys, headDim], .bf16)
    let score = Layout([rows.count, keys]), output = Layout([rows.count, headDim])
    scores = try context.serialProduct(query, key, score)
    sums = try context.serialProduct(probability, value, output)
    self.query = try query.descriptor()
    self.key = try key.descriptor()
    self.score = try score.descriptor()
    self.probability = try probability.descriptor()
    self.value = try value.descriptor()
    self.output = try output.descriptor()
  }

  /// The scratch memory that the products need, in bytes.
  var scratchSize: Int { max(scores.scratchSize, sums.scratchSize) }

  /// Computes these rows of one head's output.
  func attend(_ head: HeadMemory, into target: UnsafeMutablePointer<Float>?, in context: KernelContext) throws
  {
    try context.execute(
      scores,
      [
        .init(DNNL_ARG_SRC, query, head.query.base + rows.lowerBound * headDim),
        .init(DNNL_ARG_WEIGHTS, key, head.key.base),
        .init(DNNL_ARG_DST, score, head.scores.base), scores.scratch(head.scratch.base),
      ], "attention scores")
    bb_softmax_bfloat16(
      head.scores.base,
      head.probabilities.base, head.inverseSums.base, rows.count, keys)
    try context.execute(
      sums,
      [
        .init(DNNL_ARG_SRC, probability, head.probabilities.base),
        .init(DNNL_ARG_WEIGHTS, value, head.value.base),
        .init(DNNL_ARG_DST, output, head.sums.base), sums.scratch(head.scratch.base),
      ], "attention sums")
    bb_scale_rows(
      head.sums.base, head.inverseSums.base, target, width, rows.count, headDim)
  }
}
