import CDNNL
import Files

/// A ``Layout`` as oneDNN holds it; destroyed with the last reference.
final class LayoutDescriptor {
  let handle: bb_layout

  /// Takes ownership of a handle.
  init(_ handle: bb_layout) { self.handle = handle }

  /// Creates a descriptor by a call that fills in a handle.
  convenience init(_ make: (inout bb_layout?) -> dnnl_status_t) throws {
    var handle: bb_layout?
    try dnnl(make(&handle), "layout")
    guard let handle else {
      throw BenbenError(.internalDefect, "oneDNN failed", at: "layout", because: "no descriptor")
    }
    self.init(handle)
  }

  deinit { bb_layout_destroy(handle) }

  /// The size of a tensor in this layout, padding included, in bytes.
  var byteCount: Int { bb_layout_size(handle) }
}
