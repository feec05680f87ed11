import CDNNL

/// A primitive with its arguments, to be executed by one thread at a time while its context lives.
///
/// oneDNN's memory objects are made once, and moved from one execution to the next: making them takes as long as a small
/// product.
final class Execution {
  private let primitive: Primitive
  private let operation: String
  private let stream: dnnl_stream_t
  private var arguments: [dnnl_exec_arg_t] = []

  init(
    _ primitive: Primitive, _ arguments: [KernelContext.Argument], _ operation: String, engine: dnnl_engine_t,
    stream: dnnl_stream_t
  ) throws {
    self.primitive = primitive
    self.operation = operation
    self.stream = stream
    for argument in arguments {
      var memory: dnnl_memory_t?
      try dnnl(bb_memory_create(&memory, argument.descriptor.handle, engine, argument.pointer), operation)
      self.arguments.append(dnnl_exec_arg_t(arg: argument.index, memory: memory))
    }
  }

  deinit { for argument in arguments { dnnl_memory_destroy(argument.memory) } }

  /// Moves an argument, counted in the order in which they were given.
  func move(_ position: Int, to pointer: UnsafeMutableRawPointer) throws {
    try dnnl(dnnl_memory_set_data_handle(arguments[position].memory, pointer), operation)
  }

  /// Executes the primitive and waits for it.
  func callAsFunction() throws {
    try dnnl(dnnl_primitive_execute(primitive.handle, stream, Int32(arguments.count), arguments), operation)
    try dnnl(dnnl_stream_wait(stream), operation)
  }
}
