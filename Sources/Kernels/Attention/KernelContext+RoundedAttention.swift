import CDNNL
import CKernelLoops
import Tensors

extension KernelContext {
  /// The queries and keys whose scores one thread holds at a time: they, and what they are computed from, stay in its
  /// second-level cache.
  ///
  /// Blocks of keys start at the same keys for every query, so that results do not depend on which queries are computed.
  fileprivate static let queriesAtOnce = 128, keysAtOnce = 512

  /// Computes softmax(scale·Q·Kᵀ)·V with queries, keys, values and probabilities rounded to bf16 and sums in f32; one
  /// thread computes each head.
  func roundedAttention(
    _ input: AttentionInput, blocks: [AttentionBlock], scale: Float, into output: Tensor
  ) throws {
    let (queries, width) = (input.query.shape[0], input.query.shape[1])
    let headDim = width / input.heads
    let tiles = try blocks.flatMap { block in
      let (first, end) = (block.queries.lowerBound, block.queries.upperBound)
      return try stride(from: first, to: end, by: Self.queriesAtOnce).map { start in
        try AttentionTile(
          rows: start..<min(start + Self.queriesAtOnce, end), keys: block.keys, headDim: headDim,
          width: width,
          in: self)
      }
    }
    let scratchSize = tiles.map(\.scratchSize).max() ?? 0
    try parallelItems(input.heads) { _, next in
      let memory = HeadMemory(
        queries: queries, keys: input.key.shape[0], headDim: headDim,
        scratchSize: scratchSize)
      let executions = try tiles.map { try TileExecution($0, memory, in: self) }
      while let head = next() {
        memory.load(input, head: head, scale: scale)
        var loaded = 0
        for execution in executions {
          if execution.keys != loaded {
            memory.loadValues(
              input, head: head, count: execution.keys, loaded: min(loaded, execution.keys))
            loaded = execution.keys
          }
          try execution(
            into: output.elements.baseAddress.map { $0 + execution.rows.lowerBound * width + head * headDim })
        }
      }
    }
  }
}

/// One thread's copy of a head in bf16, with its scores: queries row by row, keys and values in the layout of a
/// product's right factor, block by block.
private final class HeadMemory {
  let query: ScratchBuffer<UInt16>, key: ScratchBuffer<UInt16>, value: ScratchBuffer<UInt16>
  /// The scores of a tile with one block of keys, and their exponentials.
  let scores: ScratchBuffer<Float>, probabilities: ScratchBuffer<UInt16>
  /// The largest score of each query so far, the sum of its exponentials, and the factor of earlier sums.
  let largest: ScratchBuffer<Float>, totals: ScratchBuffer<Float>, factors: ScratchBuffer<Float>
  /// The values of each query summed so far, and those of one block.
  let sums: ScratchBuffer<Float>, blockSums: ScratchBuffer<Float>
  let scratch: ScratchBuffer<UInt8>
  private let headDim: Int
  private static let log2e: Float = 1.44269504

  init(queries: Int, keys: Int, headDim: Int, scratchSize: Int) {
    let rows = min(KernelContext.queriesAtOnce, queries), columns = min(KernelContext.keysAtOnce, keys)
    query = ScratchBuffer(count: queries * headDim)
    key = ScratchBuffer(count: headDim.roundedUp(to: 32) * keys.roundedUp(to: 64))
    value = ScratchBuffer(count: keys.roundedUp(to: 32) * headDim.roundedUp(to: 64))
    scores = ScratchBuffer(count: rows * columns)
    probabilities = ScratchBuffer(count: rows * columns)
    largest = ScratchBuffer(count: rows)
    totals = ScratchBuffer(count: rows)
    factors = ScratchBuffer(count: rows)
    sums = ScratchBuffer(count: rows * headDim)
    blockSums = ScratchBuffer(count: rows * headDim)
    scratch = ScratchBuffer(count: scratchSize)
    self.headDim = headDim
  }

  /// The keys from a multiple of 64 on.
  func keys(from start: Int) -> UnsafeMutablePointer<UInt16> {
    key.base + start * headDim.roundedUp(to: 32)
  }

  /// The values of the block that starts there.
  func values(from start: Int) -> UnsafeMutablePointer<UInt16> {
    value.base + start * headDim.roundedUp(to: 64)
  }

  /// Copies the head's queries and keys; the first keys are laid out as if they were the only ones.
  func load(_ input: AttentionInput, head: Int, scale: Float) {
    let (query, key) = (input.query, input.key)
    // The softmax takes powers of two.
    bb_round_columns(
      query.elements.baseAddress.map { $0 + head * headDim }, query.shape[1], scale * Self.log2e,
      self.query.base, query.shape[0], headDim)
    bb_block_transposed_columns(
      key.elements.baseAddress.map { $0 + head * headDim }, key.shape[1], self.key.base, key.shape[0],
      headDim)
  }

  /// Copies the first `count` of the head's values; a block that `loaded` of them filled is there already.
  func loadValues(_ input: AttentionInput, head: Int, count: Int, loaded: Int) {
    let (size, width) = (KernelContext.keysAtOnce, input.value.shape[1])
    for start in stride(from: loaded / size * size, to: count, by: size) {
      bb_block_columns(
        input.value.elements.baseAddress.map { $0 + start * width + head * headDim }, width,
        values(from: start),
        min(size, count - start), headDim)
    }
  }
}

/// Some queries of a head and the keys that they see: for each block of keys, two products with a softmax between them.
private struct AttentionTile {
  let rows: Range<Int>
  let keys: Int
  let headDim: Int, width: Int
  /// The products with a whole block of keys, and with the last one, which may be shorter.
  let whole: BlockProducts?, last: BlockProducts

  init(rows: Range<Int>, keys: Int, headDim: Int, width: Int, in context: KernelContext) throws {
    self.rows = rows
    self.keys = keys
    self.headDim = headDim
    self.width = width
    let size = KernelContext.keysAtOnce
    let rest = keys > 0 ? (keys - 1) % size + 1 : 0
    whole =
      keys > size ? try BlockProducts(rows: rows.count, keys: size, headDim: headDim, in: context) : nil
    last = try BlockProducts(rows: rows.count, keys: rest, headDim: headDim, in: context)
  }

  /// The scratch memory that the products need, in bytes.
  var scratchSize: Int { max(whole?.scratchSize ?? 0, last.scratchSize) }
}

/// One thread's computation of a tile, head after head.
///
/// It copies no reference to an object of other threads while it computes: they would compete for the reference counts.
private final class TileExecution {
  let rows: Range<Int>
  let keys: Int
  private let headDim: Int, width: Int
  private let memory: HeadMemory
  private let whole: BlockExecution?, last: BlockExecution

  init(_ tile: AttentionTile, _ memory: HeadMemory, in context: KernelContext) throws {
    (rows, keys, headDim, width) = (tile.rows, tile.keys, tile.headDim, tile.width)
    self.memory = memory
    whole = try tile.whole.map { try BlockExecution($0, tile, memory, in: context) }
    last = try BlockExecution(tile.last, tile, memory, in: context)
  }

  /// Computes the tile's rows of the head that the memory holds.
  func callAsFunction(into target: UnsafeMutablePointer<Float>?) throws {
    let rows = rows.count
    memory.largest.base.update(repeating: -.infinity, count: rows)
    memory.totals.base.update(repeating: 0, count: rows)
    for start in stride(from: 0, to: keys, by: KernelContext.keysAtOnce) {
      let block = start + last.keys == keys ? last : whole ?? last
      try block.scores.move(1, to: memory.keys(from: start))
      try block.scores()
      bb_continue_softmax(
        memory.scores.base, memory.probabilities.base, memory.largest.base, memory.totals.base,
        memory.factors.base, rows, block.keys)
      let sums = start == 0 ? memory.sums : memory.blockSums
      try block.sums.move(1, to: memory.values(from: start))
      try block.sums.move(2, to: sums.base)
      try block.sums()
      if start > 0 {
        bb_scale_and_add_rows(memory.sums.base, memory.factors.base, sums.base, rows, headDim)
      }
    }
    bb_divide_rows(memory.sums.base, memory.totals.base, target, width, rows, headDim)
  }
}

/// One thread's two products of a tile with a block of keys and values; which block is said at each.
private struct BlockExecution {
  let keys: Int
  let scores: Execution, sums: Execution

  init(_ products: BlockProducts, _ tile: AttentionTile, _ memory: HeadMemory, in context: KernelContext)
    throws
  {
    keys = products.keys
    scores = try context.prepare(
      products.scores,
      [
        .init(DNNL_ARG_SRC, products.query, memory.query.base + tile.rows.lowerBound * tile.headDim),
        .init(DNNL_ARG_WEIGHTS, products.key, memory.key.base),
        .init(DNNL_ARG_DST, products.score, memory.scores.base),
        products.scores.scratch(memory.scratch.base),
      ], "attention scores")
    sums = try context.prepare(
      products.sums,
      [
        .init(DNNL_ARG_SRC, products.probability, memory.probabilities.base),
        .init(DNNL_ARG_WEIGHTS, products.value, memory.value.base),
        .init(DNNL_ARG_DST, products.output, memory.sums.base),
        products.sums.scratch(memory.scratch.base),
      ], "attention sums")
  }
}

/// The two products of a tile's queries with a block of keys and values.
private struct BlockProducts {
  let keys: Int
  let scores: Primitive, sums: Primitive
  /// The layouts of the products' operands and results.
  let query: LayoutDescriptor, key: LayoutDescriptor, score: LayoutDescriptor
  let probability: LayoutDescriptor, value: LayoutDescriptor, output: LayoutDescriptor

  init(rows: Int, keys: Int, headDim: Int, in context: KernelContext) throws {
    self.keys = keys
    let query = Layout([rows, headDim], .bf16), key = Layout(blocks: [headDim, keys], .bf16)
    let probability = Layout([rows, keys], .bf16), value = Layout(blocks: [keys, headDim], .bf16)
    let score = Layout([rows, keys]), output = Layout([rows, headDim])
    scores = try context.serialProduct(query, key, score)
    sums = try context.serialProduct(probability, value, output)
    self.query = try query.descriptor()
    self.key = try key.descriptor()
    self.score = try score.descriptor()
    self.probability = try probability.descriptor()
    self.value = try value.descriptor()
    self.output = try output.descriptor()
  }

  var scratchSize: Int { max(scores.scratchSize, sums.scratchSize) }
}
