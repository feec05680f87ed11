import CDNNL
import CKernelLoops
import Files
import Tensors

/// Owns a oneDNN primitive together with its descriptor.
final class Primitive {
  let handle: dnnl_primitive_t
  let descriptor: dnnl_primitive_desc_t

  /// Takes over the descriptor, also when creating the primitive fails.
  init(_ descriptor: dnnl_primitive_desc_t, _ operation: String) throws {
    var handle: dnnl_primitive_t?
    let status = dnnl_primitive_create(&handle, descriptor)
    guard status == dnnl_success, let handle else {
      dnnl_primitive_desc_destroy(descriptor)
      try dnnl(status, operation)
      throw BenbenError(.internalDefect, "oneDNN failed", at: operation, because: "no primitive")
    }
    self.handle = handle
    self.descriptor = descriptor
  }

  deinit {
    dnnl_primitive_destroy(handle)
    dnnl_primitive_desc_destroy(descriptor)
  }

  /// The layout that the primitive wants for an argument which it was free to choose.
  func wantedLayout(of query: dnnl_query_t) -> dnnl_memory_desc_t? {
    dnnl_primitive_desc_query_md(descriptor, query, 0)?.pointee
  }

  /// Whether oneDNN has nothing but its slow reference code for it.
  var isReference: Bool {
    var name: UnsafePointer<CChar>?
    guard dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, &name) == dnnl_success, let name
    else { return true }
    return String(cString: name).hasPrefix("ref")
  }

  /// The scratch memory that the primitive wants from its caller, in bytes.
  var scratchSize: Int {
    dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0).map {
      dnnl_memory_desc_get_size($0)
    } ?? 0
  }

  /// Tells an execution where the scratch memory is.
  func scratch(_ memory: UnsafeMutableRawPointer) throws -> KernelContext.Argument {
    .init(DNNL_ARG_SCRATCHPAD, try Layout([scratchSize], .u8).descriptor(), memory)
  }
}
