import CHDF5
import Files

/// The owner of an HDF5 identifier of any kind.
final class HDF5Handle: Sendable {
  let id: hid_t
  private let close: @Sendable (hid_t) -> herr_t

  init(_ id: hid_t, close: @escaping @Sendable (hid_t) -> herr_t, _ what: String, at subject: String) throws {
    guard id >= 0 else {
      throw BenbenError(.malformed, "cannot read", at: subject, because: "HDF5 gives no \(what)")
    }
    self.id = id
    self.close = close
  }

  deinit { HDF5Library.close { _ = close(id) } }
}
