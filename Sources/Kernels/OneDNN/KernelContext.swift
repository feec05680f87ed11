import CDNNL
import Files
import Tensors

/// Where kernels run: oneDNN's CPU engine, a cache of its primitives, and scratch memory.
///
/// A context belongs to the OS thread that created it: oneDNN keeps the scratch memory of most primitives by thread, and
/// OpenMP the number of threads. ``KernelThread`` is an executor of one such thread. Inside an operation, OpenMP's threads
/// execute primitives of the same context side by side only when those were made with scratch memory of their own.
public final class KernelContext {
  private let engine: dnnl_engine_t
  private let stream: dnnl_stream_t
  private var primitives: [PrimitiveKey: Primitive] = [:]
  /// The operations of all products so far.
  public internal(set) var operations = OperationCount()
  /// Optional recorder of the magnitudes that products read and write.
  public var magnitudes: MagnitudeRecorder?
  /// Weights of the current operation, converted to f32, to bf16, or brought into row-major order.
  let floatWeights = ScratchBuffer<Float>(), bfloat16Weights = ScratchBuffer<UInt16>()
  let rowMajorWeights = ScratchBuffer<Int8>()
  /// Sums of 8-bit products.
  let sumScratch = ScratchBuffer<Int32>()
  /// Attention scores of the current rows.
  let scoreScratch = ScratchBuffer<Float>()
  /// A convolution's weights in the layout that its primitive wants.
  let reorderedWeights = ScratchBuffer<Float>()

  /// Whether oneDNN multiplies blocked weights as they stand.
  private(set) lazy var multipliesBlocks: Bool = {
    let size = WeightLayout.blockSize
    let probe = try? productPrimitive(
      Layout([size, size], .u8), Layout(blocks: [size, size], .s8), Layout([size, size], .s32))
    return probe.map { !$0.isReference } ?? false
  }()

  /// Runs with a context of its own, and with so many threads, on the calling thread.
  ///
  /// - Parameter threads: how many threads operations use; nil leaves it to OpenMP (all cores, or `OMP_NUM_THREADS`). The
  ///   calling thread's number is restored afterwards.
  /// - Throws: ``BenbenError`` when oneDNN fails, and what `body` throws.
  public static func scoped<Result>(
    threads: Int?, _ body: (KernelContext) throws -> Result
  ) throws -> Result {
    let before = omp_get_max_threads()
    if let threads { omp_set_num_threads(Int32(clamping: threads)) }
    defer { omp_set_num_threads(before) }
    return try body(KernelContext())
  }

  /// Creates the engine.
  public init() throws {
    var engine: dnnl_engine_t?
    try dnnl(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine")
    guard let engine else {
      throw BenbenError(.internalDefect, "oneDNN failed", at: "engine", because: "none")
    }
    var stream: dnnl_stream_t?
    try dnnl(dnnl_stream_create(&stream, engine, UInt32(dnnl_stream_default_flags.rawValue)), "stream")
    guard let stream else {
      throw BenbenError(.internalDefect, "oneDNN failed", at: "stream", because: "none")
    }
    self.engine = engine
    self.stream = stream
  }

  deinit {
    primitives.removeAll()
    dnnl_stream_destroy(stream)
    dnnl_engine_destroy(engine)
  }

  /// How many threads operations use that are called from this thread.
  public static var threads: Int { Int(omp_get_max_threads()) }

  /// The primitive of a key, made on first use.
  func primitive(
    _ key: PrimitiveKey, _ operation: String,
    make: (dnnl_engine_t, inout dnnl_primitive_desc_t?) throws -> dnnl_status_t
  ) throws -> Primitive {
    if let known = primitives[key] { return known }
    var descriptor: dnnl_primitive_desc_t?
    try dnnl(try make(engine, &descriptor), operation)
    guard let descriptor else {
      throw BenbenError(.internalDefect, "oneDNN failed", at: operation, because: "no descriptor")
    }
    let primitive = try Primitive(descriptor, operation)
    primitives[key] = primitive
    return primitive
  }

  /// One argument of an execution.
  struct Argument {
    let index: Int32
    let descriptor: dnnl_memory_desc_t
    let pointer: UnsafeMutableRawPointer?

    init(_ index: Int32, _ descriptor: dnnl_memory_desc_t, _ pointer: UnsafeMutableRawPointer?) {
      self.index = index
      self.descriptor = descriptor
      self.pointer = pointer
    }

    /// An input; oneDNN does not write to it.
    init(_ index: Int32, _ descriptor: dnnl_memory_desc_t, reading pointer: UnsafeRawPointer?) {
      self.init(index, descriptor, UnsafeMutableRawPointer(mutating: pointer))
    }
  }

  /// Runs a primitive and waits for it.
  func execute(_ primitive: Primitive, _ arguments: [Argument], _ operation: String) throws {
    var list: [dnnl_exec_arg_t] = []
    defer { for argument in list { dnnl_memory_destroy(argument.memory) } }
    for argument in arguments {
      var memory: dnnl_memory_t?
      var descriptor = argument.descriptor
      try dnnl(dnnl_memory_create(&memory, &descriptor, engine, argument.pointer), operation)
      list.append(dnnl_exec_arg_t(arg: argument.index, memory: memory))
    }
    try dnnl(dnnl_primitive_execute(primitive.handle, stream, Int32(list.count), list), operation)
    try dnnl(dnnl_stream_wait(stream), operation)
  }

  /// Builds the attributes for post-operations, lends them, and destroys them.
  ///
  /// - Parameter ownsScratch: whether executions are told where their scratch memory is.
  static func withAttributes<Result>(
    _ operations: [PostOperation], ownsScratch: Bool = false,
    _ body: (dnnl_primitive_attr_t?) throws -> Result
  ) throws -> Result {
    if operations.isEmpty, !ownsScratch { return try body(nil) }
    var attributes: dnnl_primitive_attr_t?
    var list: dnnl_post_ops_t?
    try dnnl(dnnl_primitive_attr_create(&attributes), "attributes")
    defer { dnnl_primitive_attr_destroy(attributes) }
    if ownsScratch {
      try dnnl(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user), "attributes")
    }
    try dnnl(dnnl_post_ops_create(&list), "post-operations")
    defer { dnnl_post_ops_destroy(list) }
    for operation in operations {
      switch operation {
      case .activation(let activation):
        let (kind, alpha) = activation.algorithm
        try dnnl(dnnl_post_ops_append_eltwise(list, 1, kind, alpha, 0), "activation")
      case .scale(let factor):
        try dnnl(dnnl_post_ops_append_eltwise(list, 1, dnnl_eltwise_linear, factor, 0), "scale")
      case .multiply(let layout):
        var descriptor = try layout.descriptor()
        try dnnl(dnnl_post_ops_append_binary(list, dnnl_binary_mul, &descriptor), "multiplication")
      case .add(let layout):
        var descriptor = try layout.descriptor()
        try dnnl(dnnl_post_ops_append_binary(list, dnnl_binary_add, &descriptor), "addition")
      case .accumulate:
        try dnnl(dnnl_post_ops_append_sum(list, 1), "accumulation")
      }
    }
    try dnnl(dnnl_primitive_attr_set_post_ops(attributes, list), "attributes")
    return try body(attributes)
  }
}
