import Tensors

/// y = x·Wᵀ + b (`torch.nn.Linear`), with what follows it fused behind the product.
///
/// The weight stays where it is stored. f32 is multiplied in place; a narrower type is widened tile by tile into scratch
/// memory, so that no second copy of a model, nor of a whole matrix, exists. 8-bit weights whose plan says so are
/// multiplied as integers, where the processor can without saturating.
public struct Linear {
  /// The number of input and output features.
  public let inputs: Int, outputs: Int
  private let weight: Weight
  private let bias: Weight?

  /// A linear layer with a weight of shape [outputs, inputs] and a bias of shape [outputs], or none.
  ///
  /// Further dimensions of the weight count as inputs.
  public init(weight: Weight, bias: Weight?) {
    precondition(weight.shape.count >= 2 && (bias.map { $0.shape == [weight.shape[0]] } ?? true))
    outputs = weight.shape[0]
    inputs = weight.shape.dropFirst().reduce(1, *)
    self.weight = weight
    self.bias = bias
  }

  /// What happens to the product before it is stored.
  public enum Epilogue {
    /// An activation function.
    case activation(Activation)
    /// Times another tensor of the output's shape, element by element (a gated feed-forward).
    case multiply(Tensor)
    /// Added to what the output holds.
    case residual
    /// Times a row, the same for all rows, and added to what the output holds; stands alone.
    case gatedResidual(Tensor)
  }

  /// A run of rows with its own epilogue: the samples of a batch share the weight but not the gate.
  public struct Segment {
    let rows: Range<Int>
    let epilogue: [Epilogue]

    /// A segment.
    public init(rows: Range<Int>, epilogue: [Epilogue]) {
      self.rows = rows
      self.epilogue = epilogue
    }

    fileprivate var gate: Tensor? {
      guard case .gatedResidual(let gate)? = epilogue.first else { return nil }
      precondition(epilogue.count == 1)
      return gate
    }
  }

  /// A new tensor [rows, outputs] from x of shape [rows, inputs].
  public func callAsFunction(
    _ x: Tensor, then epilogue: [Epilogue] = [], in context: KernelContext
  ) throws -> Tensor {
    let output = Tensor([x.shape[0], outputs])
    try self(x, into: output, segments: [Segment(rows: 0..<x.shape[0], epilogue: epilogue)], in: context)
    return output
  }

  /// The same into rows that exist already, each segment of rows with its own epilogue.
  public func callAsFunction(
    _ x: Tensor, into output: Tensor, segments: [Segment], in context: KernelContext
  ) throws {
    precondition(
      x.shape == [x.shape[0], inputs] && output.shape == [x.shape[0], outputs], "\(x.shape) → \(output.shape)"
    )
    let bias = bias?.tensor()
    let segments = segments.filter { !$0.rows.isEmpty }
    if weight.type == .i8, weight.activations == .int8, KernelContext.multipliesIntegersExactly {
      for segment in segments { try quantized(x, into: output, segment, bias: bias, in: context) }
      return
    }
    // oneDNN's fast products cannot add after a multiplication, so a gated product is added by a loop of ours.
    let targets = segments.map { segment in
      segment.gate == nil ? output.rows(segment.rows) : Tensor([segment.rows.count, outputs])
    }
    try forEachTile(in: context) { columns, weights in
      for (segment, target) in zip(segments, targets) {
        let source = x.rows(segment.rows)
        let rows = segment.rows.count
        try context.product(
          MatrixView(
            UnsafePointer(source.elements.baseAddress), rows: rows, columns: inputs, rowStride: inputs),
          MatrixView(
            weights.baseAddress, rows: inputs, columns: columns.count, rowStride: 1, columnStride: inputs),
          bias: bias?.elements.baseAddress.map { UnsafePointer($0 + columns.lowerBound) },
          into: MatrixView(
            target.elements.baseAddress.map { UnsafePointer($0 + columns.lowerBound) }, rows: rows,
            columns: columns.count, rowStride: outputs),
          after: operations(segment, columns))
      }
    }
    for (segment, target) in zip(segments, targets) {
      if let gate = segment.gate { Elementwise.add(target, gatedBy: gate, to: output.rows(segment.rows)) }
    }
    withExtendedLifetime((segments, bias)) {}
  }

  /// The most weights that are widened at a time.
  private static let tileSize = 1 << 22

  /// Lends the weights of a range of outputs after the other; those that are stored as f32 all at once.
  private func forEachTile(
    in context: KernelContext, _ body: (Range<Int>, UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    let rows = weight.type == .f32 ? outputs : max(1, Self.tileSize / max(inputs, 1))
    for start in stride(from: 0, to: outputs, by: rows) {
      let tile = start..<min(start + rows, outputs)
      try weight.withFloats(rows: tile, scratch: context.weightScratch) { try body(tile, $0) }
    }
  }

  /// One segment with quantized inputs: integer products, scaled once, and then the epilogue.
  private func quantized(
    _ x: Tensor, into output: Tensor, _ segment: Segment, bias: Tensor?, in context: KernelContext
  ) throws {
    let destination = output.rows(segment.rows)
    let addsToOutput = segment.epilogue.contains { step in
      switch step {
      case .residual, .gatedResidual: true
      case .activation, .multiply: false
      }
    }
    let target = addsToOutput ? Tensor(destination.shape) : destination
    try weight.withQuantized { values, scales in
      try context.integerProduct(
        x.rows(segment.rows), values, weightScales: scales, bias: bias, into: target)
    }
    for step in segment.epilogue {
      switch step {
      case .activation(let activation): try context.apply(activation, to: target)
      case .multiply(let factor): Elementwise.multiply(target, by: factor)
      case .residual: Elementwise.add(target, to: destination)
      case .gatedResidual(let gate): Elementwise.add(target, gatedBy: gate, to: destination)
      }
    }
  }

  /// What follows behind a product of some of the outputs.
  private func operations(
    _ segment: Segment, _ columns: Range<Int>
  ) -> [(operation: PostOperation, operand: UnsafePointer<Float>?)] {
    var operations: [(operation: PostOperation, operand: UnsafePointer<Float>?)] = []
    for step in segment.epilogue {
      switch step {
      case .activation(let activation): operations.append((.activation(activation), nil))
      case .multiply(let factor):
        precondition(factor.shape == [segment.rows.count, outputs])
        let layout = Layout([segment.rows.count, columns.count], strides: [outputs, 1])
        let operand = factor.elements.baseAddress.map { UnsafePointer($0 + columns.lowerBound) }
        operations.append((.multiply(layout), operand))
      case .residual: operations.append((.accumulate, nil))
      case .gatedResidual: break
      }
    }
    return operations
  }
}
