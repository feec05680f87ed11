import Tensors

/// y = x·Wᵀ + b (`torch.nn.Linear`), with what follows it fused behind the product.
///
/// The weight stays where it is stored. f32 is multiplied in place; a narrower type is widened into scratch memory
/// for the time of one call, so that no second copy of a model exists.
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
    try weight.withFloats(scratch: context.weightScratch) { weights in
      for segment in segments where !segment.rows.isEmpty {
        let source = x.rows(segment.rows)
        let destination = output.rows(segment.rows)
        let rows = segment.rows.count
        // oneDNN's fast products cannot add after a multiplication, so a gated product is added by a loop of ours.
        let gate = segment.gate
        let product = gate == nil ? destination : Tensor([rows, outputs])
        try context.product(
          MatrixView(
            UnsafePointer(source.elements.baseAddress), rows: rows, columns: inputs, rowStride: inputs),
          MatrixView(weights.baseAddress, rows: inputs, columns: outputs, rowStride: 1, columnStride: inputs),
          bias: UnsafePointer(bias?.elements.baseAddress),
          into: MatrixView(
            UnsafePointer(product.elements.baseAddress), rows: rows, columns: outputs, rowStride: outputs),
          after: operations(segment))
        if let gate { Elementwise.add(product, gatedBy: gate, to: destination) }
      }
    }
    withExtendedLifetime((segments, bias)) {}
  }

  private func operations(
    _ segment: Segment
  ) -> [(operation: PostOperation, operand: UnsafePointer<Float>?)] {
    var operations: [(operation: PostOperation, operand: UnsafePointer<Float>?)] = []
    for step in segment.epilogue {
      switch step {
      case .activation(let activation): operations.append((.activation(activation), nil))
      case .multiply(let factor):
        precondition(factor.shape == [segment.rows.count, outputs])
        operations.append((.multiply(Layout(factor.shape)), UnsafePointer(factor.elements.baseAddress)))
      case .residual: operations.append((.accumulate, nil))
      case .gatedResidual: break
      }
    }
    return operations
  }
}
