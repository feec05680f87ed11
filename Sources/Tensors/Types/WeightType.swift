/// How the weights of a native model are stored.
public enum WeightType: String, CaseIterable, Sendable {
  /// As plain numbers.
  case f32, bf16, f16
  /// As 8-bit integers with one scale a row (``RowQuantization``).
  case int8

  /// The type of the stored numbers, without the scales.
  public var elementType: ElementType {
    switch self {
    case .f32: .f32
    case .bf16: .bf16
    case .f16: .f16
    case .int8: .i8
    }
  }

  /// The type that keeps what is stored so, or nil for one that cannot be computed with.
  public init?(keeping type: ElementType) {
    switch type {
    case .f32: self = .f32
    case .bf16: self = .bf16
    case .f16: self = .f16
    default: return nil
    }
  }

  /// Bytes of a weight of this shape, scales included, without the alignment between them.
  public func byteCount(of shape: Shape) -> Int {
    let values = shape.reduce(1, *) * elementType.size
    return self == .int8 ? values + 4 * (shape.first ?? 1) : values
  }

  /// How precise it is: the number of bits that a value's mantissa, or an integer, has.
  public var precision: Int {
    switch self {
    case .f32: 24
    case .f16: 11
    case .bf16: 8
    case .int8: 7
    }
  }
}
