import CDNNL
import Files
import Tensors

/// The state in which kernels run: oneDNN's CPU engine, a cache of its primitives, and scratch memory.
///
/// A context belongs to the OS thread that created it: oneDNN keeps the scratch memory of most primitives per thread,
/// and OpenMP the number of threads. ``KernelThread`` is an executor of one such thread. Inside an operation, OpenMP's
/// threads may execute primitives of one context in parallel only if those take scratch memory as an argument.
package final class KernelContext {
  private let engine: dnnl_engine_t
  private let stream: dnnl_stream_t
  private var primitives: [PrimitiveKey: Primitive] = [:]
  /// The operations of all products computed so far.
  package internal(set) var operations = OperationCount()
  /// Optional recorder of the magnitudes that products read and write.
  package var magnitudes: MagnitudeRecorder?
  /// Scratch memory for the current operation's weights, converted to f32 or bf16.
  let floatWeights = ScratchBuffer<Float>(), bfloat16Weights = ScratchBuffer<UInt16>()
  /// Scratch memory for sums of 8-bit products.
  let sumScratch = ScratchBuffer<Int32>()
  /// Scratch memory for the results of our own products of integers, in f32.
  let floatSumScratch = ScratchBuffer<Float>()
  /// Scratch memory for the attention scores of the current rows.
  let scoreScratch = ScratchBuffer<Float>()
  /// Scratch memory for a convolution's weights in the layout that its primitive prefers.
  let reorderedWeights = ScratchBuffer<Float>()
  /// Scratch memory for Winograd's transforms: kernels that are not kept, and tiles.
  let transformedKernels = WinogradKernels(), transformedTiles = ScratchBuffer<Int16>()
  /// Scratch memory for the scales of transformed tiles, and for their products with kernels.
  let tileScales = ScratchBuffer<Float>(), tileProducts = ScratchBuffer<Float>()

  /// Whether oneDNN multiplies blocked weights without reordering them.
  private(set) lazy var multipliesBlocks: Bool = {
    let size = WeightLayout.blockSize
    let probe = try? productPrimitive(
      Layout([size, size], .u8), Layout(blocks: [size, size], .s8), Layout([size, size], .s32))
    return probe.map { !$0.isReference } ?? false
  }()

  /// Runs `body` on the calling thread with a new context and the given number of threads.
  ///
  /// - Parameter threads: the number of threads that operations use; nil for ``ProcessorCount/preferred``. The calling
  ///   thread's setting is restored afterwards.
  /// - Throws: ``BenbenError`` when oneDNN fails, and any error that `body` throws.
  package static func scoped<Result>(
    threads: Int?, _ body: (KernelContext) throws -> Result
  ) throws -> Result {
    let before = omp_get_max_threads()
    omp_set_num_threads(Int32(clamping: threads ?? ProcessorCount.preferred))
    defer { omp_set_num_threads(before) }
    return try body(KernelContext())
  }

  /// Creates a context with its own engine and stream.
  ///
  /// - Throws: ``BenbenError`` when oneDNN cannot be used, or its threads cannot be started.
  package init() throws {
    try ThreadSupply.require(Self.threads - 1)
    guard bb_uses_openmp() != 0 else {
      throw BenbenError(
        .missing, "oneDNN cannot be used", at: "libdnnl", because: "this one was not built with OpenMP",
        remedies: ["install the distribution's own package"])
    }
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

  /// The number of threads used by operations that are called from this thread.
  package static var threads: Int { Int(omp_get_max_threads()) }

  /// Returns the primitive for a key, created on first use.
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
    let descriptor: LayoutDescriptor
    let pointer: UnsafeMutableRawPointer?

    init(_ index: Int32, _ descriptor: LayoutDescriptor, _ pointer: UnsafeMutableRawPointer?) {
      self.index = index
      self.descriptor = descriptor
      self.pointer = pointer
    }

    /// Creates an argument for an input; oneDNN does not write to it.
    init(_ index: Int32, _ descriptor: LayoutDescriptor, reading pointer: UnsafeRawPointer?) {
      self.init(index, descriptor, UnsafeMutableRawPointer(mutating: pointer))
    }
  }

  /// Runs a primitive and waits for it.
  func execute(_ primitive: Primitive, _ arguments: [Argument], _ operation: String) throws {
    try prepare(primitive, arguments, operation)()
  }

  /// Makes what executions of a primitive on one thread share.
  func prepare(_ primitive: Primitive, _ arguments: [Argument], _ operation: String) throws -> Execution {
    try Execution(primitive, arguments, operation, engine: engine, stream: stream)
  }

  /// Builds the attributes for post-operations, lends them, and destroys them.
  ///
  /// - Parameter ownsScratch: whether each execution is passed its scratch memory.
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
        try dnnl(bb_append_elementwise(list, kind, alpha), "activation")
      case .scale(let factor):
        try dnnl(bb_append_elementwise(list, dnnl_eltwise_linear, factor), "scale")
      case .multiply(let layout):
        let descriptor = try layout.descriptor()
        try dnnl(bb_append_binary(list, dnnl_binary_mul, descriptor.handle), "multiplication")
      case .add(let layout):
        let descriptor = try layout.descriptor()
        try dnnl(bb_append_binary(list, dnnl_binary_add, descriptor.handle), "addition")
      case .accumulate:
        try dnnl(bb_append_sum(list), "accumulation")
      }
    }
    try dnnl(dnnl_primitive_attr_set_post_ops(attributes, list), "attributes")
    return try body(attributes)
  }
}
