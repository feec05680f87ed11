import CDNNL
import Tensors

extension KernelContext {
  /// The most attention scores held at a time.
  private static let maximumScores = 1 << 23

  /// Computes softmax(scale·Q·Kᵀ + bias)·V for every head, [tokens, heads·headDim].
  ///
  /// - Parameters:
  ///   - blocks: which queries see which keys; together they cover all rows of the output.
  ///   - scale: the factor applied before the softmax.
  ///   - bias: added to the scores, [heads or 1, queries, keys]; masked positions hold a very negative number.
  ///   - output: the tensor for the result; nil to allocate a new one.
  @discardableResult
  package func attention(
    _ input: AttentionInput, blocks: [AttentionBlock], scale: Float, bias: Tensor? = nil,
    into output: Tensor? = nil
  ) throws -> Tensor {
    let output = output ?? Tensor(input.query.shape)
    precondition(output.shape == input.query.shape)
    let width = input.query.shape[1]
    let headDim = width / input.heads
    operations.attention += blocks.reduce(0) { $0 + 4 * Double($1.queries.count * $1.keys * width) }
    guard let bias else {
      if input.isRounded, Self.multipliesBFloat16 {
        try roundedAttention(input, blocks: blocks, scale: scale, into: output)
      } else {
        try wideAttention(input, blocks: blocks, scale: scale, into: output)
      }
      return output
    }
    for block in blocks where !block.queries.isEmpty {
      let rowsAtOnce = max(1, min(block.queries.count, Self.maximumScores / max(block.keys, 1)))
      for start in stride(from: block.queries.lowerBound, to: block.queries.upperBound, by: rowsAtOnce) {
        let rows = start..<min(start + rowsAtOnce, block.queries.upperBound)
        for head in 0..<input.heads {
          try attend(
            input, rows: rows, keys: block.keys, head: head, headDim: headDim, scale: scale, bias: bias,
            into: output)
        }
      }
    }
    return output
  }

  private func attend(
    _ input: AttentionInput, rows: Range<Int>, keys: Int, head: Int, headDim: Int, scale: Float,
    bias: Tensor, into output: Tensor
  ) throws {
    let width = input.query.shape[1]
    func pointer(_ tensor: Tensor, row: Int) -> UnsafeRawPointer? {
      tensor.elements.baseAddress.map { UnsafeRawPointer($0 + row * width + head * headDim) }
    }
    try scoreScratch.with(count: rows.count * keys) { scores in
      let scoreView = MatrixView(
        UnsafeRawPointer(scores.baseAddress), rows: rows.count, columns: keys, rowStride: keys)
      var operations: [(operation: PostOperation, operand: UnsafePointer<Float>?)] = []
      if scale != 1 { operations.append((.scale(scale), nil)) }
      let plane = bias.shape[0] == 1 ? 0 : head
      let offset = (plane * bias.shape[1] + rows.lowerBound) * bias.shape[2]
      let layout = Layout([rows.count, keys], strides: [bias.shape[2], 1])
      operations.append((.add(layout), bias.elements.baseAddress.map { UnsafePointer($0 + offset) }))
      try product(
        MatrixView(
          pointer(input.query, row: rows.lowerBound), rows: rows.count, columns: headDim, rowStride: width),
        MatrixView(
          pointer(input.key, row: 0), rows: headDim, columns: keys, rowStride: 1, columnStride: width),
        bias: nil, into: scoreView, after: operations)
      try softmax(scoreView)
      try product(
        scoreView,
        MatrixView(pointer(input.value, row: 0), rows: keys, columns: headDim, rowStride: width), bias: nil,
        into: MatrixView(
          pointer(output, row: rows.lowerBound), rows: rows.count, columns: headDim, rowStride: width))
    }
  }

  /// Applies softmax to every row, in place.
  private func softmax(_ view: MatrixView) throws {
    let descriptor = try view.layout.descriptor()
    let primitive = try primitive(.softmax(view.layout), "softmax") { engine, result in
      bb_softmax_create(&result, engine, descriptor.handle, 1)
    }
    let memory = UnsafeMutableRawPointer(mutating: view.pointer)
    try execute(
      primitive, [Argument(DNNL_ARG_SRC, descriptor, memory), Argument(DNNL_ARG_DST, descriptor, memory)],
      "softmax")
  }
}
