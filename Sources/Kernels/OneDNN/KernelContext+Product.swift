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
      var source = try left.descriptor()
      var weights = try right.descriptor()
      var destination = try output.descriptor()
      var operation = dnnl_matmul_desc_t()
      if let bias {
        var bias = try bias.descriptor()
        try dnnl(
          dnnl_matmul_desc_init(&operation, &source, &weights, &bias, &destination), "matrix product")
      } else {
        try dnnl(dnnl_matmul_desc_init(&operation, &source, &weights, nil, &destination), "matrix product")
      }
      return try Self.withAttributes(kinds) {
        dnnl_primitive_desc_create(&result, &operation, $0, engine, nil)
      }
    }
  }

  /// Returns the primitive for left · right on one thread of a region in which every thread computes its own products.
  ///
  /// oneDNN divides the work among threads when it creates a primitive, and keeps scratch memory per thread; this
  /// primitive is therefore created for one thread and takes its scratch memory as an argument.
  ///
  /// - Parameters:
  ///   - reordered: the layout of the right factor, if it was reordered.
  ///   - adds: whether the product is added to the previous values of the output.
  func serialProduct(
    _ left: Layout, _ right: Layout, _ output: Layout,
    reordered: dnnl_memory_desc_t? = nil, adds: Bool = false
  ) throws -> Primitive {
    let key = PrimitiveKey.serialProduct(
      left: left, right: right, output: output, isReordered: reordered != nil, adds: adds)
    return try serialProduct(
      key, left, weights: try reordered ?? right.descriptor(), output, after: adds ? [.accumulate] : [])
  }

  /// Returns the layout that a product on one thread prefers for its right factor; it does not depend on the number of
  /// rows of the left one.
  func reorderedLayout(of right: Layout, left: Layout, _ output: Layout) throws -> dnnl_memory_desc_t {
    var free = dnnl_memory_desc_t()
    try dnnl(
      dnnl_memory_desc_init_by_tag(
        &free, Int32(right.dimensions.count), right.dimensions.map(Int64.init), right.type.dnnl,
        dnnl_format_tag_any), "layout")
    let primitive = try serialProduct(.unpacked(right), left, weights: free, output, after: [])
    guard let wanted = primitive.wantedLayout(of: dnnl_query_weights_md) else {
      throw BenbenError(.internalDefect, "oneDNN failed", at: "matrix product", because: "no weights layout")
    }
    return wanted
  }

  private func serialProduct(
    _ key: PrimitiveKey, _ left: Layout, weights: dnnl_memory_desc_t, _ output: Layout, after: [PostOperation]
  ) throws -> Primitive {
    var (source, weights, destination) = (try left.descriptor(), weights, try output.descriptor())
    return try primitive(key, "matrix product") { engine, result in
      let threads = KernelContext.threads
      omp_set_num_threads(1)
      defer { omp_set_num_threads(Int32(threads)) }
      var operation = dnnl_matmul_desc_t()
      try dnnl(dnnl_matmul_desc_init(&operation, &source, &weights, nil, &destination), "matrix product")
      return try Self.withAttributes(after, ownsScratch: true) {
        dnnl_primitive_desc_create(&result, &operation, $0, engine, nil)
      }
    }
  }

  /// Reorders a matrix into the layout that a primitive prefers.
  func reorder(
    _ matrix: UnsafeRawPointer, _ layout: Layout, into output: UnsafeMutableRawPointer,
    _ wanted: dnnl_memory_desc_t
  ) throws {
    var (from, to) = (try layout.descriptor(), wanted)
    // The preferred layout is always the same for matrices of one shape and type.
    let reorder = try primitive(.reordering(layout), "weight layout") { engine, result in
      dnnl_reorder_primitive_desc_create(&result, &from, engine, &to, engine, nil)
    }
    try execute(
      reorder, [Argument(DNNL_ARG_FROM, from, reading: matrix), Argument(DNNL_ARG_TO, to, output)],
      "weight layout")
  }
}
