import Tensors

extension Linear {
  /// An operation applied to the product before it is stored.
  package enum Epilogue {
    /// Applies an activation function.
    case activation(Activation)
    /// Multiplies by another tensor of the output's shape, element by element (a gated feed-forward).
    case multiply(Tensor)
    /// Adds the product to the previous values of the output.
    case residual
    /// Multiplies by one row, shared by all rows, and adds to the previous values of the output; must be alone.
    case gatedResidual(Tensor)
    /// Normalises and rotates every head; must be alone.
    case normalizedHeads(HeadNormalization)

    var readsOutput: Bool {
      switch self {
      case .residual, .gatedResidual: true
      case .activation, .multiply, .normalizedHeads: false
      }
    }
  }

  /// A run of the input's rows, where their products go, and the operations applied to them: the samples of a batch share
  /// the weight but not the gate.
  package struct Segment {
    let rows: Range<Int>
    let target: LinearInput.Target
    let epilogue: [Epilogue]

    /// Creates a segment whose output is a tensor, [rows, outputs].
    package init(rows: Range<Int>, into output: Tensor, then epilogue: [Epilogue] = []) {
      self.init(rows: rows, into: .tensor(output), then: epilogue)
    }

    /// Creates a segment whose output may be rows of the next layer's input.
    package init(rows: Range<Int>, into target: LinearInput.Target, then epilogue: [Epilogue] = []) {
      self.rows = rows
      self.target = target
      self.epilogue = epilogue
      precondition(tensor != nil || !epilogue.contains(where: \.readsOutput))
    }

    var tensor: Tensor? {
      guard case .tensor(let tensor) = target else { return nil }
      return tensor
    }

    var gate: Tensor? {
      guard case .gatedResidual(let gate)? = epilogue.first else { return nil }
      precondition(epilogue.count == 1)
      return gate
    }

    var heads: HeadNormalization? {
      guard case .normalizedHeads(let heads)? = epilogue.first else { return nil }
      precondition(epilogue.count == 1)
      return heads
    }
  }
}
