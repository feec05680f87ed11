import CKernelLoops
import Tensors

/// A linear layer, y = x·Wᵀ + b (`torch.nn.Linear`), fused with the operations that follow it.
///
/// The weight stays where it is stored. A weight of the type in which the product computes is multiplied in place; any
/// other is converted tile by tile in scratch memory, so that no second copy of a model, nor of a whole matrix, exists.
/// 8-bit weights whose plan says so are multiplied as integers: with inputs of 8 bits where the processor can do that
/// without saturating, otherwise with inputs of 16 bits.
package struct Linear {
  /// The numbers of input and output features.
  package let inputs: Int, outputs: Int
  private let weight: Weight
  private let bias: Weight?
  private let sums: RowSums
  /// The precision to which inputs are rounded: as the plan asks or better, where the processor supports it.
  package let precision: InputPrecision
  /// Whether integers are multiplied by ``KernelContext/wordProduct(_:rows:_:body:)``.
  private let multipliesWords: Bool

  /// How the products read their input.
  var rounding: InputRounding {
    switch precision {
    case .float32: .wide
    case .bf16: .bfloat16
    case .int8: .bytes
    case .int16: multipliesWords ? .words : .halves
    }
  }

  /// Creates a linear layer from a weight of shape [outputs, inputs] and a bias of shape [outputs], or none.
  ///
  /// Further dimensions of the weight count as inputs.
  package init(weight: Weight, bias: Weight?) {
    precondition(weight.shape.count >= 2 && (bias.map { $0.shape == [weight.shape[0]] } ?? true))
    outputs = weight.shape[0]
    inputs = weight.shape.dropFirst().reduce(1, *)
    self.weight = weight
    self.bias = bias
    sums = RowSums(weight)
    let asked = weight.type == .i8 || !weight.activations.isInteger ? weight.activations : .float32
    multipliesWords =
      asked.isInteger
      && (!KernelContext.multipliesBytesExactly || inputs > KernelContext.maximumByteInputs)
    precision =
      switch asked {
      case .int8, .int16: multipliesWords ? .int16 : asked
      case .bf16: KernelContext.multipliesBFloat16 ? .bf16 : .float32
      case .float32: .float32
      }
  }

  /// Returns a new tensor [rows, outputs] for x of shape [rows, inputs].
  package func callAsFunction(
    _ x: Tensor, then epilogue: [Epilogue] = [], in context: KernelContext
  ) throws -> Tensor {
    try self(LinearInput(x), then: epilogue, in: context)
  }

  /// Returns a new tensor [rows, outputs] for an input that several layers share.
  package func callAsFunction(
    _ x: LinearInput, then epilogue: [Epilogue] = [], in context: KernelContext
  ) throws -> Tensor {
    let output = Tensor([x.rows, outputs])
    try self(x, into: output, then: epilogue, in: context)
    return output
  }

  /// Computes all rows of an input into an existing tensor [rows, outputs].
  package func callAsFunction(
    _ x: LinearInput, into output: Tensor, then epilogue: [Epilogue], in context: KernelContext
  ) throws {
    try self(x, [Segment(rows: 0..<x.rows, into: output, then: epilogue)], in: context)
  }

  /// Computes some of an input's rows, each segment with its own output and epilogue.
  package func callAsFunction(_ x: LinearInput, _ segments: [Segment], in context: KernelContext) throws {
    precondition(x.features == inputs)
    precondition(
      segments.allSatisfy { $0.tensor.map(\.shape) ?? [$0.rows.count, outputs] == [$0.rows.count, outputs] })
    let bias = bias?.tensor()
    let segments = segments.filter { !$0.rows.isEmpty }
    precondition(segments.allSatisfy { $0.heads?.fits(rows: $0.rows.count, columns: outputs) ?? true })
    // A loop of its own normalises heads where rows are not finished one by one, or are looked at before.
    let later = precision.isInteger && context.magnitudes == nil ? [] : segments.filter { $0.heads != nil }
    let now =
      later.isEmpty
      ? segments : segments.map { $0.heads == nil ? $0 : Segment(rows: $0.rows, into: $0.target) }
    if multipliesWords {
      for segment in now { try words(x, segment, bias: bias, in: context) }
    } else if precision.isInteger {
      for segment in now { try bytes(x, segment, bias: bias, in: context) }
    } else {
      try floats(x, now, bias: bias, in: context)
    }
    withExtendedLifetime((segments, bias, x)) {}
    context.operations.linear += segments.reduce(0) { $0 + 2 * Double($1.rows.count * inputs * outputs) }
    if let ranges = context.magnitudes {
      for case let (segment, output?) in segments.map({ ($0, $0.tensor) }) {
        ranges.record(weight.name, x.values.rows(segment.rows), output)
      }
    }
    for segment in later {
      if let heads = segment.heads, let output = segment.tensor { heads(output) }
    }
  }

  /// Computes the segments with products in f32 or bf16.
  private func floats(
    _ x: LinearInput, _ segments: [Segment], bias: Tensor?, in context: KernelContext
  ) throws {
    let type: NumberType = precision == .bf16 ? .bf16 : .f32
    let (source, size) =
      type == .bf16
      ? (x.rounded(.bfloat16).bfloat16, 2) : (UnsafeRawPointer(x.values.address), 4)
    // oneDNN's fast products cannot add after a multiplication, so a separate loop adds gated products.
    let targets = segments.map { segment in
      segment.gate == nil
        ? segment.tensor ?? Tensor([segment.rows.count, outputs])
        : Tensor([segment.rows.count, outputs])
    }
    try weight.forEachTile(as: type, in: context) { columns, weights in
      for (segment, target) in zip(segments, targets) {
        let rows = segment.rows.count
        try context.product(
          MatrixView(
            source + segment.rows.lowerBound * inputs * size, type, rows: rows, columns: inputs,
            rowStride: inputs),
          .transposed(weights, type, rows: inputs, columns: columns.count),
          bias: bias?.elements.baseAddress.map { UnsafePointer($0 + columns.lowerBound) },
          into: MatrixView(
            target.elements.baseAddress.map { UnsafeRawPointer($0 + columns.lowerBound) }, rows: rows,
            columns: columns.count, rowStride: outputs),
          after: operations(segment, columns))
      }
    }
    for (segment, product) in zip(segments, targets) {
      switch segment.target {
      case .tensor(let output):
        if let gate = segment.gate { Elementwise.add(product, gatedBy: gate, to: output) }
      case .rounded(let input, let first):
        parallelRows(product.shape[0]) { rows in
          for row in rows {
            input.set(first + row, to: UnsafeBufferPointer(start: product.pointer(row: row), count: outputs))
          }
        }
      }
    }
  }

  /// Returns the post-operations of the product that computes some of the output columns.
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
      case .gatedResidual, .normalizedHeads: break
      }
    }
    return operations
  }

  /// Computes one segment with 8-bit inputs, or 16-bit ones in halves: integer products, scaled once, then the epilogue,
  /// row by row in cache.
  private func bytes(
    _ x: LinearInput, _ segment: Segment, bias: Tensor?, in context: KernelContext
  ) throws {
    let biasPointer = UnsafePointer(bias?.elements.baseAddress)
    let x = x.rounded(rounding)
    try context.byteProduct(
      x, rows: segment.rows, weight, weightSums: sums.values(), bias: biasPointer
    ) { rows, scaled in
      parallelRows(rows.count) { part in
        let scratch = ScratchBuffer<Float>(count: outputs)
        withExtendedLifetime(scratch) {
          for index in part {
            let row = rows.lowerBound + index
            finish(
              UnsafeMutableBufferPointer(start: scaled(row, scratch.base), count: outputs),
              row: row - segment.rows.lowerBound, segment)
          }
        }
      }
    }
  }

  /// Computes one segment with 16-bit inputs, in the same way.
  private func words(
    _ x: LinearInput, _ segment: Segment, bias: Tensor?, in context: KernelContext
  ) throws {
    let biasPointer = UnsafePointer(bias?.elements.baseAddress)
    let x = x.rounded(rounding)
    try weight.withQuantized { _, scales in
      try context.wordProduct(x, rows: segment.rows, weight) { rows, sums in
        parallelRows(rows.count) { part in
          for index in part {
            let row = rows.lowerBound + index
            let scaled = UnsafeMutableBufferPointer(start: sums + index * outputs, count: outputs)
            bb_scale_float_sums(
              scaled.baseAddress, x.scales[row], scales.baseAddress, biasPointer, outputs)
            finish(scaled, row: row - segment.rows.lowerBound, segment)
          }
        }
      }
    }
  }

  /// Applies the epilogue to one of the segment's rows and stores it.
  private func finish(_ scaled: UnsafeMutableBufferPointer<Float>, row: Int, _ segment: Segment) {
    let stored = segment.tensor?.pointer(row: row)
    for step in segment.epilogue {
      switch step {
      case .activation(let activation): activation.apply(to: scaled)
      case .multiply(let factor):
        bb_multiply(factor.pointer(row: row), scaled.baseAddress, outputs)
      case .residual: return bb_linear_combination(scaled.baseAddress, 1, stored, 1, stored, outputs)
      case .gatedResidual(let gate):
        return bb_add_gated(scaled.baseAddress, gate.elements.baseAddress, stored, 1, outputs)
      case .normalizedHeads(let heads): heads(scaled.baseAddress, row: row, width: outputs)
      }
    }
    switch segment.target {
    case .tensor: if let source = scaled.baseAddress { stored?.update(from: source, count: outputs) }
    case .rounded(let input, let first): input.set(first + row, to: UnsafeBufferPointer(scaled))
    }
  }
}

/// The row sums of a weight, computed on first use because that reads the whole weight.
private final class RowSums {
  private let weight: Weight
  private var known: [Int32]?

  init(_ weight: Weight) { self.weight = weight }

  func values() -> [Int32] {
    let values = known ?? weight.rowSums()
    known = values
    return values
  }
}
