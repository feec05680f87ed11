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

/// The only names that a pickle may refer to; nothing is ever looked up or called.
enum PickleGlobal: Equatable {
  case orderedDictionary
  case rebuildTensor
  case storage(ElementType)

  /// Nil for every name that is not allowed.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch", _):
      guard let type = Self.storageTypes[name] else { return nil }
      self = .storage(type)
    default: return nil
    }
  }

  private static let storageTypes: [String: ElementType] = [
    "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16, "DoubleStorage": .f64,
    "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8,
    "BoolStorage": .bool,
  ]
}

/// A storage that a pickle names: a record of the archive, and how many elements of which type it holds.
struct PickleStorage {
  let key: String
  let type: ElementType
  let count: Int
}

/// A tensor that a pickle describes: a view of a storage, in elements.
struct PickleTensor {
  let storage: PickleStorage
  let offset: Int
  let shape: Shape
  let strides: [Int]
}
