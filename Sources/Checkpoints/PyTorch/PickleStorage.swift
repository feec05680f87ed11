import Tensors

/// A storage that a pickle names: a record of the archive, and the number and type of its elements.
struct PickleStorage {
  let key: String
  /// The type of the elements; nil for bytes, whose tensor says its type.
  let type: ElementType?
  let count: Int
}
