import CDNNL
import CKernelLoops
import Files
import Tensors

/// A oneDNN primitive together with its descriptor; owns both.
final class Primitive {
  let handle: dnnl_primitive_t
  let descriptor: dnnl_primitive_desc_t
  private let scratchLayout: LayoutDescriptor

  /// Creates a primitive and takes ownership of the descriptor, even when creation fails.
  init(_ descriptor: dnnl_primitive_desc_t, _ operation: String) throws {
    var handle: dnnl_primitive_t?
    let status = dnnl_primitive_create(&handle, descriptor)
    let scratchLayout = bb_layout_query(descriptor, dnnl_query_scratchpad_md).map(LayoutDescriptor.init)
    guard status == dnnl_success, let handle, let scratchLayout else {
      dnnl_primitive_destroy(handle)
      dnnl_primitive_desc_destroy(descriptor)
      try dnnl(status, operation)
      throw BenbenError(.internalDefect, "oneDNN failed", at: operation, because: "no primitive")
    }
    self.handle = handle
    self.descriptor = descriptor
    self.scratchLayout = scratchLayout
  }

  deinit {
    dnnl_primitive_destroy(handle)
    dnnl_primitive_desc_destroy(descriptor)
  }

  /// Returns the layout that the primitive uses for an argument, the preferred one if it was left open.
  func layout(of query: dnnl_query_t) -> LayoutDescriptor? {
    bb_layout_query(descriptor, query).map(LayoutDescriptor.init)
  }

  /// Whether oneDNN has only its slow reference implementation for it.
  var isReference: Bool {
    var name: UnsafePointer<CChar>?
    guard dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name) == dnnl_success, let name
    else { return true }
    return String(cString: name).hasPrefix("ref")
  }

  /// The scratch memory that the caller must provide, in bytes.
  var scratchSize: Int { scratchLayout.byteCount }

  /// Returns the argument that passes scratch memory to an execution.
  func scratch(_ memory: UnsafeMutableRawPointer) -> KernelContext.Argument {
    .init(DNNL_ARG_SCRATCHPAD, scratchLayout, memory)
  }
}
