/// The type in which the weights of a native model are stored.
public enum WeightType: String, Codable, CaseIterable, Sendable {
  /// Plain numbers.
  case f32, bf16, f16
  /// 8-bit integers with one scale per row (``RowQuantization``).
  case int8

  /// The type of the stored numbers, without the scales.
  package var elementType: ElementType {
    switch self {
    case .f32: .f32
    case .bf16: .bf16
    case .f16: .f16
    case .int8: .i8
    }
  }

  /// Creates the weight type that keeps an element type as stored, or nil for one that cannot be used in computations.
  package init?(keeping type: ElementType) {
    switch type {
    case .f32: self = .f32
    case .bf16: self = .bf16
    case .f16: self = .f16
    default: return nil
    }
  }

  /// Returns the size in bytes of a weight of this shape, including the scales but not the alignment between them.
  package func byteCount(of shape: Shape) -> Int {
    let values = shape.reduce(1, *) * elementType.size
    return self == .int8 ? values + 4 * (shape.first ?? 1) : values
  }

  /// The precision in bits: those of the significand, or of an integer without its sign.
  package var precision: Int {
    switch self {
    case .f32: 24
    case .f16: 11
    case .bf16: 8
    case .int8: 7
    }
  }
}
