import Tensors

/// A tensor that a pickle describes: a view of a storage, in elements.
struct PickleTensor {
  let storage: PickleStorage
  let type: ElementType
  let offset: Int
  let shape: Shape
  let strides: [Int]
}
