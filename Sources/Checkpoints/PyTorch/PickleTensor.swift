import Tensors

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
