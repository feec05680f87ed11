/// The type of a stored number, under its usual name.
package enum ElementType: String, CaseIterable, Sendable {
  /// IEEE 754 binary32.
  case f32
  /// bfloat16: the upper half of a binary32.
  case bf16
  /// IEEE 754 binary16.
  case f16
  /// IEEE 754 binary64.
  case f64
  /// 8-bit float, 4 exponent bits, no infinities.
  case f8e4m3 = "f8_e4m3"
  /// 8-bit float, 5 exponent bits.
  case f8e5m2 = "f8_e5m2"
  /// Signed integers.
  case i8, i16, i32, i64
  /// Unsigned integers.
  case u8, u16, u32, u64
  /// One byte, 0 or 1.
  case bool
  /// Types that are known and cannot be computed with: complex numbers of two binary32, and floats of 8, 6 and 4 bits.
  case c64
  case f8e8m0 = "f8_e8m0"
  case f8e4m3fnuz = "f8_e4m3fnuz"
  case f8e5m2fnuz = "f8_e5m2fnuz"
  case f6e2m3 = "f6_e2m3"
  case f6e3m2 = "f6_e3m2"
  case f4

  /// The size of one element in bits.
  package var bitCount: Int {
    switch self {
    case .f4: 4
    case .f6e2m3, .f6e3m2: 6
    default: 8 * size
    }
  }

  /// The size of one element in bytes; that of a byte for smaller ones, which are stored without gaps.
  package var size: Int {
    switch self {
    case .f64, .i64, .u64, .c64: 8
    case .f32, .i32, .u32: 4
    case .bf16, .f16, .i16, .u16: 2
    case .f8e4m3, .f8e5m2, .i8, .u8, .bool, .f8e8m0, .f8e4m3fnuz, .f8e5m2fnuz, .f6e2m3, .f6e3m2, .f4: 1
    }
  }

  /// Whether weights of this type can be used in computations: they convert to f32 exactly.
  package var isComputable: Bool { self == .f32 || self == .bf16 || self == .f16 }

  /// Whether it is a float of 8 bits, which converts to f32, and to bf16 and f16, exactly.
  package var isFloat8: Bool { self == .f8e4m3 || self == .f8e5m2 }

  /// Returns whether every finite value of this type is known to be a value of `other`: true for equal types, and from
  /// f32, bf16 and f16 to f32.
  package func widensExactly(to other: ElementType) -> Bool {
    self == other || (isComputable && other == .f32)
  }
}
