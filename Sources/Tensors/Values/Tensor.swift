/// A dense row-major tensor of f32 in memory: the activations of a model.
///
/// A reference type: views made by ``reshaped(_:)`` and ``rows(_:)`` share the elements. It is confined to the
/// thread that made it; only kernels spread work over threads.
public final class Tensor {
  /// The shape, outermost dimension first.
  public let shape: Shape
  /// The elements in row-major order, 64-byte aligned unless this is a view of rows.
  public let elements: UnsafeMutableBufferPointer<Float>
  /// Keeps the elements of a view alive.
  private let owner: ScratchBuffer<Float>

  /// A tensor of undefined elements.
  ///
  /// The shape must be a valid one: shapes from files are checked where they are read.
  ///
  /// - Parameter isLasting: see ``ScratchBuffer/init(count:isLasting:)``.
  public init(_ shape: Shape, isLasting: Bool = false) {
    guard let count = shape.checkedElementCount else { preconditionFailure("invalid shape \(shape)") }
    self.shape = shape
    owner = ScratchBuffer(count: count, isLasting: isLasting)
    elements = UnsafeMutableBufferPointer(start: owner.base, count: count)
  }

  /// A tensor of zeros.
  public static func zeros(_ shape: Shape) -> Tensor {
    let tensor = Tensor(shape)
    tensor.elements.initialize(repeating: 0)
    return tensor
  }

  /// A tensor with these elements; their number must be the shape's.
  public convenience init(_ shape: Shape, _ values: some Collection<Float>) {
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
  public var count: Int { elements.count }

  /// Where the first element stands.
  public var address: UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(elements.baseAddress ?? owner.base)
  }

  /// The elements in a new array.
  public var array: [Float] { Array(elements) }

  /// The same elements under another shape of the same size.
  public func reshaped(_ shape: Shape) -> Tensor {
    precondition(shape.checkedElementCount == count, "cannot reshape \(self.shape) to \(shape)")
    return Tensor(shape: shape, elements: elements, owner: owner)
  }

  /// A view of consecutive entries of the outermost dimension.
  public func rows(_ range: Range<Int>) -> Tensor {
    precondition(!shape.isEmpty && range.lowerBound >= 0 && range.upperBound <= shape[0])
    let stride = shape[0] == 0 ? 0 : count / shape[0]
    return Tensor(
      shape: [range.count] + shape.dropFirst(),
      elements: UnsafeMutableBufferPointer(
        rebasing: elements[range.lowerBound * stride..<range.upperBound * stride]),
      owner: owner)
  }

  /// A copy with its own elements.
  public func copy() -> Tensor { Tensor(shape, elements) }

  /// Tensors with the same inner shape, one after the other along the outermost dimension.
  public static func concatenated(_ tensors: [Tensor]) -> Tensor {
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

  /// A new tensor, element by element.
  public func map(_ transform: (Float) -> Float) -> Tensor {
    let result = Tensor(shape)
    for index in elements.indices { result.elements[index] = transform(elements[index]) }
    return result
  }

  /// A new tensor from two of the same shape, element by element.
  public func combined(with other: Tensor, _ transform: (Float, Float) -> Float) -> Tensor {
    precondition(shape == other.shape, "shapes \(shape) and \(other.shape) differ")
    let result = Tensor(shape)
    for index in elements.indices {
      result.elements[index] = transform(elements[index], other.elements[index])
    }
    return result
  }
}
