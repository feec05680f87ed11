import CDNNL
import Tensors

/// A matrix inside a tensor: its first element, and how far apart rows and columns are.
struct MatrixView {
  let pointer: UnsafeRawPointer?
  let layout: Layout

  init(
    _ pointer: UnsafeRawPointer?, _ type: NumberType = .f32, rows: Int, columns: Int, rowStride: Int,
    columnStride: Int = 1
  ) {
    self.pointer = pointer
    layout = Layout([rows, columns], strides: [rowStride, columnStride], type)
  }
}

extension KernelContext {
  /// output = post(left · right + bias), where the post-operations run in order, each with its operand if it has one.
  func product(
    _ left: MatrixView, _ right: MatrixView, bias: UnsafePointer<Float>?, into output: MatrixView,
    after operations: [(operation: PostOperation, operand: UnsafePointer<Float>?)] = []
  ) throws {
    let columns = output.layout.dimensions[1]
    let biasLayout = Layout([1, columns])
    let kinds = operations.map(\.operation)
    let key = PrimitiveKey.product(
      left: left.layout, right: right.layout, output: output.layout, hasBias: bias != nil, after: kinds)
    var source = try left.layout.descriptor()
    var weights = try right.layout.descriptor()
    var biasDescriptor = try biasLayout.descriptor()
    var destination = try output.layout.descriptor()
    let primitive = try primitive(key, "matrix product") { engine, result in
      var operation = dnnl_matmul_desc_t()
      try dnnl(
        bias == nil
          ? dnnl_matmul_desc_init(&operation, &source, &weights, nil, &destination)
          : dnnl_matmul_desc_init(&operation, &source, &weights, &biasDescriptor, &destination),
        "matrix product")
      return try Self.withAttributes(kinds) {
        dnnl_primitive_desc_create(&result, &operation, $0, engine, nil)
      }
    }
    var arguments = [
      Argument(DNNL_ARG_SRC, source, reading: left.pointer),
      Argument(DNNL_ARG_WEIGHTS, weights, reading: right.pointer),
      Argument(DNNL_ARG_DST, destination, UnsafeMutableRawPointer(mutating: output.pointer)),
    ]
    if let bias { arguments.append(Argument(DNNL_ARG_BIAS, biasDescriptor, reading: bias)) }
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

  /// The primitive of left · right for one thread of a region in which every thread computes products of its own.
  ///
  /// oneDNN shares work out when it makes a primitive, and keeps its scratch memory by thread: such a primitive is made for
  /// one thread, and told where its scratch memory is.
  func serialProduct(_ left: Layout, _ right: Layout, _ output: Layout) throws -> Primitive {
    var (source, weights, destination) = (
      try left.descriptor(), try right.descriptor(), try output.descriptor()
    )
    return try primitive(.serialProduct(left: left, right: right, output: output), "matrix product") {
      engine, result in
      let threads = KernelContext.threads
      omp_set_num_threads(1)
      defer { omp_set_num_threads(Int32(threads)) }
      var operation = dnnl_matmul_desc_t()
      try dnnl(dnnl_matmul_desc_init(&operation, &source, &weights, nil, &destination), "matrix product")
      var attributes: dnnl_primitive_attr_t?
      try dnnl(dnnl_primitive_attr_create(&attributes), "attributes")
      defer { dnnl_primitive_attr_destroy(attributes) }
      try dnnl(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "attributes")
      return dnnl_primitive_desc_create(&result, &operation, attributes, engine, nil)
    }
  }
}
