import Tensors

extension BlockFormat {
  /// Computes the f32 values of whole blocks, bit for bit those of gguf-py: every product and sum is rounded on its own.
  ///
  /// - Parameter output: as many values as `bytes` holds.
  func convertToFloat(_ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableBufferPointer<Float>) {
    precondition(
      bytes.count.isMultiple(of: byteCount) && output.count == bytes.count / byteCount * valueCount)
    guard let source = bytes.bindMemory(to: UInt8.self).baseAddress, let target = output.baseAddress else {
      return
    }
    for block in 0..<bytes.count / byteCount {
      let (bytes, values) = (source + block * byteCount, target + block * valueCount)
      switch self {
      case .q4_0: Self.fourBits(bytes, values, offset: -8)
      case .q4_1: Self.fourBits(bytes, values, hasLeast: true)
      case .q5_0: Self.fourBits(bytes, values, hasFifth: true, offset: -16)
      case .q5_1: Self.fourBits(bytes, values, hasLeast: true, hasFifth: true)
      case .q8_0: Self.eightBits(bytes, values)
      case .q2_k: Self.twoBits(bytes, values)
      case .q3_k: Self.threeBits(bytes, values)
      case .q4_k: Self.scaledAndShifted(bytes, values, hasFifth: false)
      case .q5_k: Self.scaledAndShifted(bytes, values, hasFifth: true)
      case .q6_k: Self.sixBits(bytes, values)
      }
    }
  }

  private typealias Bytes = UnsafePointer<UInt8>
  private typealias Values = UnsafeMutablePointer<Float>

  private static func half(_ bytes: Bytes) -> Float {
    FloatConversion.float(half: UInt16(bytes[0]) | UInt16(bytes[1]) << 8)
  }

  /// q8_0: scale, 32 signed bytes.
  private static func eightBits(_ bytes: Bytes, _ values: Values) {
    let scale = half(bytes)
    for index in 0..<32 { values[index] = Float(Int8(bitPattern: bytes[2 + index])) * scale }
  }

  /// q4_0 to q5_1: scale, least value, 32 fifth bits, 16 bytes with the low bits of values i and i + 16.
  private static func fourBits(
    _ bytes: Bytes, _ values: Values, hasLeast: Bool = false, hasFifth: Bool = false, offset: Int32 = 0
  ) {
    let scale = half(bytes)
    let least: Float = hasLeast ? half(bytes + 2) : 0
    let high = bytes + (hasLeast ? 4 : 2)
    let low = high + (hasFifth ? 4 : 0)
    for index in 0..<32 {
      var bits = Int32(index < 16 ? low[index] & 15 : low[index - 16] >> 4)
      if hasFifth { bits |= Int32(high[index / 8] >> (index % 8) & 1) << 4 }
      let product = scale * Float(bits + offset)
      values[index] = hasLeast ? product + least : product
    }
  }

  /// q2_k: 16 bytes of scale and least value, 64 bytes of values, the scales of both.
  private static func twoBits(_ bytes: Bytes, _ values: Values) {
    let (scale, least) = (half(bytes + 80), half(bytes + 82))
    for index in 0..<256 {
      let factors = bytes[index / 16]
      // Every 32 bytes hold 128 values, 32 of them at each of four positions.
      let bits = bytes[16 + index / 128 * 32 + index % 32] >> (index % 128 / 32 * 2) & 3
      let scaled = scale * Float(factors & 15) * Float(bits)
      values[index] = scaled - least * Float(factors >> 4)
    }
  }

  /// q3_k: 32 bytes of third bits, 64 bytes of low bits, 12 bytes of six-bit scales, the scale of these.
  private static func threeBits(_ bytes: Bytes, _ values: Values) {
    let (scale, factors) = (half(bytes + 108), bytes + 96)
    for group in 0..<16 {
      let low = group < 8 ? factors[group] & 15 : factors[group - 8] >> 4
      let high = factors[8 + group % 4] >> (group / 4 * 2) & 3
      let factor = scale * Float(Int32(low | high << 4) - 32)
      for index in group * 16..<group * 16 + 16 {
        let bits = bytes[32 + index / 128 * 32 + index % 32] >> (index % 128 / 32 * 2) & 3
        // A third bit that is not set takes four off.
        let third = bytes[index % 32] >> (index / 32) & 1
        values[index] = factor * Float(Int32(bits) - (third == 0 ? 4 : 0))
      }
    }
  }

  /// q4_k and q5_k: two scales, 12 bytes of six-bit scales and least values, 32 bytes of fifth bits, 128 of low bits.
  private static func scaledAndShifted(_ bytes: Bytes, _ values: Values, hasFifth: Bool) {
    let (scale, least, factors) = (half(bytes), half(bytes + 2), bytes + 4)
    let high = bytes + 16
    let low = high + (hasFifth ? 32 : 0)
    for group in 0..<8 {
      let (factor, shift): (UInt8, UInt8) =
        group < 4
        ? (factors[group] & 63, factors[group + 4] & 63)
        : (
          factors[group + 4] & 15 | (factors[group - 4] >> 6) << 4,
          factors[group + 4] >> 4 | (factors[group] >> 6) << 4
        )
      let (step, start) = (scale * Float(factor), least * Float(shift))
      for index in 0..<32 {
        var bits = low[group / 2 * 32 + index] >> (group % 2 * 4) & 15
        if hasFifth { bits |= (high[index] >> group & 1) << 4 }
        values[group * 32 + index] = step * Float(bits) - start
      }
    }
  }

  /// q6_k: 128 bytes of low bits, 64 of high bits, 16 signed scales, the scale of these.
  private static func sixBits(_ bytes: Bytes, _ values: Values) {
    let (high, factors, scale) = (bytes + 128, bytes + 192, half(bytes + 208))
    for index in 0..<256 {
      let (part, rest) = (index / 128, index % 128)
      let low = bytes[part * 64 + rest % 64] >> (rest / 64 * 4) & 15
      let top = high[part * 32 + rest % 32] >> (rest / 32 * 2) & 3
      let factor = scale * Float(Int8(bitPattern: factors[index / 16]))
      values[index] = factor * Float(Int32(low | top << 4) - 32)
    }
  }
}
