import Tensors

/// A value of a pickle, as data.
///
/// Containers, storages and tensors are numbers into the reader's own store: values never own one another, so neither
/// depth nor cycles can hurt, whatever a file builds.
enum PickleValue {
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string(String)
  /// Bytes, which no checkpoint needs; only their being there is kept.
  case bytes
  case tuple(Int)
  case list(Int)
  case dictionary(Int)
  case global(PickleGlobal)
  case storage(Int)
  case tensor(Int)
}
