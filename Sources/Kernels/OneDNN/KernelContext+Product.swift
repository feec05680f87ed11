import CDNNL
import Files
import Tensors

extension KernelContext {
  /// Computes output = post(left · right + bias); the post-operations run in order, each with its operand, if any.
  func product(
    _ left: MatrixView, _ right: MatrixView, bias: UnsafePointer<Float>?, into output: MatrixView,
    after operations: [(operation: PostOperation, operand: UnsafePointer<Float>?)] = []
  ) throws {
    let biasLayout = bias.map { _ in Layout([1, output.layout.dimensions[1]]) }
    let primitive = try productPrimitive(
      left.layout, right.layout, output.layout, bias: biasLayout, after: operations.map(\.operation))
    var arguments = [
      Argument(DNNL_ARG_SRC, try left.layout.descriptor(), reading: left.pointer),
      Argument(DNNL_ARG_WEIGHTS, try right.layout.descriptor(), reading: right.pointer),
      Argument(
        DNNL_ARG_DST, try output.layout.descriptor(), UnsafeMutableRawPointer(mutating: output.pointer)),
    ]
    if let bias, let biasLayout {
      arguments.append(Argument(DNNL_ARG_BIAS, try biasLayout.descriptor(), reading: bias))
    }
    for (index, item) in operations.enumerated() {
      switch item.operation {
      case .multiply(let layout), .add(let layout):
        arguments.append(
          Argument(
            DNNL_ARG_ATTR_MULTIPLE_POST_OP_BASE * Int32(index + 1) | DNNL_ARG_SRC_1, try layout.descriptor(),
            reading: item.operand))
      case .activation, .scale, .accumulate: break
      }
    }
    try execute(primitive, arguments, "matrix product")
  }

  /// Returns the primitive for left · right + bias with post-operations.
  func productPrimitive(
    _ left: Layout, _ right: Layout, _ output: Layout, bias: Layout? = nil, after kinds: [PostOperation] = []
  ) throws -> Primitive {
    let key = PrimitiveKey.product(
      left: left, right: right, output: output, hasBias: bias != nil, after: kinds)
    return try primitive(key, "matrix product") { engine, result in
      let (source, weights, destination) = (
        try left.descriptor(), try right.descriptor(), try output.descriptor()
      )
      let bias = try bias?.descriptor()
      return try Self.withAttributes(kinds) {
        bb_matmul_create(
          &result, engine, source.handle, weights.handle, bias?.handle, destination.handle, $0)
      }
    }
  }

  /// Returns the primitive for left · right on one thread of a region in which every thread computes its own products.
  ///
  /// oneDNN divides the work among threads when it creates a primitive, and keeps scratch memory per thread; this
  /// primitive is therefore created for one thread and takes its scratch memory as an argument.
  func serialProduct(_ left: Layout, _ right: Layout, _ output: Layout) throws -> Primitive {
    // oneDNN asks for the number of threads when the descriptor is made, and again when the primitive is.
    let threads = KernelContext.threads
    omp_set_num_threads(1)
    defer { omp_set_num_threads(Int32(threads)) }
    let key = PrimitiveKey.serialProduct(left: left, right: right, output: output)
    return try primitive(key, "matrix product") { engine, result in
      let (source, weights, destination) = (
        try left.descriptor(), try right.descriptor(), try output.descriptor()
      )
      return try Self.withAttributes([], ownsScratch: true) {
        bb_matmul_create(&result, engine, source.handle, weights.handle, nil, destination.handle, $0)
      }
    }
  }
}
