import CKernelLoops

/// Conversions between f32 and the stored 16-bit types: round to nearest, ties to even, subnormals kept.
///
/// Written without branches so that the compiler vectorises the loops; tests compare every 16-bit pattern, and the
/// values around every rounding boundary, with `Float16`.
package enum FloatConversion {
  /// Converts stored values to f32; `output` holds as many elements as `bytes` stores.
  ///
  /// The bytes need not be aligned.
  ///
  /// The type must be computable, which is checked when a model is opened, or a float of 8 bits.
  package static func convertToFloat(
    _ bytes: UnsafeRawBufferPointer, _ type: ElementType, into output: UnsafeMutableBufferPointer<Float>
  ) {
    precondition(bytes.count == output.count * type.size)
    switch type {
    case .f32: UnsafeMutableRawBufferPointer(output).copyMemory(from: bytes)
    case .bf16: bb_widen_bfloat16(bytes.baseAddress, output.baseAddress, output.count)
    case .f16:
      for index in output.indices {
        output[index] = float(half: bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
      }
    case .f8e4m3, .f8e5m2:
      let values = type == .f8e4m3 ? Float8.e4m3 : Float8.e5m2
      for index in output.indices { output[index] = values[Int(bytes[index])] }
    default: preconditionFailure("\(type) has no f32 values")
    }
  }

  /// Returns whether none of the stored values is NaN or infinite; the type must be computable, or a float of 8 bits.
  package static func isFinite(_ bytes: UnsafeRawBufferPointer, _ type: ElementType) -> Bool {
    precondition(type.isComputable || type.isFloat8)
    return switch type {
    case .f8e4m3: bytes.allSatisfy { Float8.e4m3[Int($0)].isFinite }
    case .f8e5m2: bytes.allSatisfy { Float8.e5m2[Int($0)].isFinite }
    case .f32: bb_is_finite32(bytes.baseAddress, 0x7F80_0000, bytes.count / 4) != 0
    case .bf16: bb_is_finite16(bytes.baseAddress, 0x7F80, bytes.count / 2) != 0
    default: bb_is_finite16(bytes.baseAddress, 0x7C00, bytes.count / 2) != 0
    }
  }

  /// Rounds f32 values to a computable type; `output` has exactly the size of their bytes.
  package static func narrow(
    _ input: UnsafeBufferPointer<Float>, to type: ElementType, into output: UnsafeMutableRawBufferPointer
  ) {
    precondition(output.count == input.count * type.size)
    switch type {
    case .f32: output.copyMemory(from: UnsafeRawBufferPointer(input))
    case .bf16:
      for index in input.indices {
        output.storeBytes(of: bfloat16(input[index]), toByteOffset: 2 * index, as: UInt16.self)
      }
    case .f16:
      for index in input.indices {
        output.storeBytes(of: half(input[index]), toByteOffset: 2 * index, as: UInt16.self)
      }
    default: preconditionFailure("\(type) cannot be written from f32")
    }
  }

  /// Returns the nearest value that bfloat16 can represent.
  package static func rounded(toBFloat16 value: Float) -> Float { float(bfloat16: bfloat16(value)) }

  /// Returns the value of a bfloat16 pattern.
  @inline(__always)
  static func float(bfloat16 bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// Returns the nearest bfloat16 pattern; a NaN stays a (quiet) NaN.
  @inline(__always)
  static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16
    let isNaN = bits & 0x7FFF_FFFF > 0x7F80_0000
    return UInt16(truncatingIfNeeded: isNaN ? bits >> 16 | 0x40 : rounded)
  }

  /// Returns the value of a binary16 pattern.
  @inline(__always)
  package static func float(half bits: UInt16) -> Float {
    // Move exponent and mantissa into place and let a multiplication by 2^112 rebias, subnormals included.
    let shifted = UInt32(bits & 0x7FFF) << 13
    let scaled = (Float(bitPattern: shifted) * Float(bitPattern: 0x7780_0000)).bitPattern
    let isSpecial = bits & 0x7C00 == 0x7C00
    let magnitude = isSpecial ? shifted | 0x7F80_0000 : scaled
    return Float(bitPattern: magnitude | UInt32(bits & 0x8000) << 16)
  }

  /// Returns the nearest binary16 pattern; values that are too large become infinity, a NaN stays a (quiet) NaN.
  @inline(__always)
  static func half(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = bits >> 16 & 0x8000
    let magnitude = bits & 0x7FFF_FFFF
    // Subnormal results: adding 0.5 aligns the last kept bit, and the addition itself rounds to even.
    let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- 0x3F00_0000
    let normal = (magnitude &- 0x3800_0000 &+ 0xFFF &+ (magnitude >> 13 & 1)) >> 13
    let finite = magnitude < 0x3880_0000 ? subnormal : normal
    let limited = magnitude >= 0x477F_F000 ? 0x7C00 : finite
    let result = magnitude > 0x7F80_0000 ? 0x7E00 : limited
    return UInt16(truncatingIfNeeded: sign | result)
  }
}
