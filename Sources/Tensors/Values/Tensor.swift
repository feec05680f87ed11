/// A dense row-major tensor of f32 in memory, for the activations of a model.
///
/// A reference type: views made by ``reshaped(_:)`` and ``rows(_:)`` share the elements. A tensor is confined to the
/// thread that created it; only kernels spread work over threads.
package final class Tensor {
  /// The shape, outermost dimension first.
  package let shape: Shape
  /// The elements in row-major order, 64-byte aligned unless this is a view of rows.
  package let elements: UnsafeMutableBufferPointer<Float>
  /// Keeps the elements of a view alive.
  private let owner: ScratchBuffer<Float>

  /// Creates a tensor of undefined elements.
  ///
  /// The shape must be valid; shapes from files are checked where they are read.
  ///
  /// - Parameter isLasting: see ``ScratchBuffer/init(count:isLasting:)``.
  package init(_ shape: Shape, isLasting: Bool = false) {
    guard let count = shape.checkedElementCount else { preconditionFailure("invalid shape \(shape)") }
    self.shape = shape
    owner = ScratchBuffer(count: count, isLasting: isLasting)
    elements = UnsafeMutableBufferPointer(start: owner.base, count: count)
  }

  /// Returns a tensor of zeros.
  package static func zeros(_ shape: Shape) -> Tensor {
    let tensor = Tensor(shape)
    tensor.elements.initialize(repeating: 0)
    return tensor
  }

  /// Creates a tensor with the given elements, as many as the shape has.
  package convenience init(_ shape: Shape, _ values: some Collection<Float>) {
    self.init(shape)
    precondition(values.count == elements.count, "\(values.count) values for shape \(shape)")
    _ = elements.initialize(from: values)
  }

  private init(shape: Shape, elements: UnsafeMutableBufferPointer<Float>, owner: ScratchBuffer<Float>) {
    self.shape = shape
    self.elements = elements
    self.owner = owner
  }

  /// The number of elements.
  package var count: Int { elements.count }

  /// The address of the first element.
  package var address: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(elements.baseAddress ?? owner.base)
  }

  /// The elements in a new array.
  package var array: [Float] { Array(elements) }

  /// Returns a view of the same elements under another shape of the same size.
  package func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.checkedElementCount == count, "cannot reshape \(self.shape) to \(shape)")
    return Tensor(shape: shape, elements: elements, owner: owner)
  }

  /// Returns a view of consecutive entries of the outermost dimension.
  package func rows(_ range: Range<Int>) -> Tensor {
    precondition(!shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0])
    let stride = shape[0] == 0 ? 0 : count / shape[0]
    return Tensor(
      shape: [range.count] + shape.dropFirst(),
      elements: UnsafeMutableBufferPointer(
        rebasing: elements[range.lowerBound * stride..<range.upperBound * stride]),
      owner: owner)
  }

  /// Returns a copy with its own elements.
  package func copy() -> Tensor { Tensor(shape, elements) }

  /// Concatenates tensors with the same inner shape along the outermost dimension.
  package static func concatenated(_ tensors: [Tensor]) -> Tensor {
    let inner = tensors.first.map { Array($0.shape.dropFirst()) } ?? []
    let result = Tensor([tensors.reduce(0) { $0 + $1.shape[0] }] + inner)
    var offset = 0
    for tensor in tensors {
      precondition(Array(tensor.shape.dropFirst()) == inner, "inner shapes differ")
      _ = result.elements[offset...].update(fromContentsOf: tensor.elements)
      offset += tensor.count
    }
    return result
  }

  /// Returns a new tensor of the transformed elements.
  package func map(_ transform: (Float) -> Float) -> Tensor {
    let result = Tensor(shape)
    for index in elements.indices { result.elements[index] = transform(elements[index]) }
    return result
  }

  /// Returns a new tensor that combines two of the same shape, element by element.
  package func combined(with other: Tensor, _ transform: (Float, Float) -> Float) -> Tensor {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape) differ")
    let result = Tensor(shape)
    for index in elements.indices {
      result.elements[index] = transform(elements[index], other.elements[index])
    }
    return result
  }
}
