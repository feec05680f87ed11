import Tensors

/// The only names that a pickle may refer to; nothing is ever looked up or called.
enum PickleGlobal: Equatable {
  case orderedDictionary
  case rebuildTensor
  /// As ``rebuildTensor``, of a type that has no storage of its own.
  case rebuildTypedTensor
  case rebuildParameter
  /// A storage; nil for bytes, whose tensor says its type.
  case storage(ElementType?)
  case type(ElementType)

  /// Creates the global with the given name; returns nil for every name that is not allowed.
  init?(module: String, name: String) {
    switch (module, name) {
    case ("collections", "OrderedDict"): self = .orderedDictionary
    case ("torch._utils", "_rebuild_tensor_v2"): self = .rebuildTensor
    case ("torch._utils", "_rebuild_tensor_v3"): self = .rebuildTypedTensor
    case ("torch.storage", "UntypedStorage"): self = .storage(nil)
    case ("torch._utils", "_rebuild_parameter"): self = .rebuildParameter
    case ("torch", _):
      if let type = Self.types[name] {
        self = .type(type)
      } else if let type = Self.storageTypes[name] {
        self = .storage(type)
      } else {
        return nil
      }
    default: return nil
    }
  }

  /// The types without a storage of their own, of one byte each.
  private static let types: [String: ElementType] = ["float8_e4m3fn": .f8e4m3, "float8_e5m2": .f8e5m2]

  private static let storageTypes: [String: ElementType] = [
    "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16, "DoubleStorage": .f64,
    "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8,
    "BoolStorage": .bool,
  ]
}
