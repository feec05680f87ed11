import Tensors

/// A value of a pickle, as data.
///
/// Containers, storages and tensors are indices into the reader's own store: values never own one another, so neither
/// deep nesting nor cycles can do harm, whatever a file builds.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(String)
  /// A byte string, which no checkpoint needs; its content is not kept.
  case bytes
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)

  /// The text, if it is one.
  var text: String? { if case .string(let text) = self { text } else { nil } }
}
