import Testing

@testable import Tensors

struct FloatConversionTests {
  @Test func widensEveryHalf() {
    for bits in UInt16.min...UInt16.max {
      let expected = Float(Float16(bitPattern: bits))
      let value = FloatConversion.float(half: bits)
      #expect(expected.isNaN ? value.isNaN : value.bitPattern == expected.bitPattern, "\(bits)")
    }
  }

  /// Every half, the midpoint to the next one, and the floats on both sides of each.
  @Test func roundsToHalfAsHardwareDoes() {
    for bits in UInt16(0)..<0x7C00 {
      let low = Float(Float16(bitPattern: bits))
      let high = bits == 0x7BFF ? 65536 : Float(Float16(bitPattern: bits + 1))
      let middle = (low + high) / 2
      for value in [low, middle, middle.nextDown, middle.nextUp, -middle, low.nextUp, -low] {
        #expect(FloatConversion.half(value) == Float16(value).bitPattern, "\(value)")
      }
    }
    let extremes: [Float] = [.infinity, -Float.infinity, 65504, 65519.99, 65520, 1e30, 1e-30, 0, -0.0]
    for value in extremes {
      #expect(FloatConversion.half(value) == Float16(value).bitPattern, "\(value)")
    }
    #expect(Float16(bitPattern: FloatConversion.half(.nan)).isNaN)
  }

  @Test func roundsToBFloat16ToNearestEven() {
    for upper in stride(from: UInt32(0), to: 0x7F80, by: 7) {
      let low = upper << 16
      #expect(FloatConversion.bfloat16(Float(bitPattern: low)) == UInt16(upper))
      #expect(FloatConversion.bfloat16(Float(bitPattern: low | 0x7FFF)) == UInt16(upper))
      #expect(FloatConversion.bfloat16(Float(bitPattern: low | 0x8000)) == UInt16(upper + upper % 2))
      #expect(FloatConversion.bfloat16(Float(bitPattern: low | 0x8001)) == UInt16(upper + 1))
    }
    #expect(Float(bitPattern: UInt32(FloatConversion.bfloat16(.nan)) << 16).isNaN)
    #expect(FloatConversion.bfloat16(-.infinity) == 0xFF80)
  }

  @Test func readsUnalignedBytes() {
    let bytes: [UInt8] = [0, 0x80, 0x3F, 0x00, 0xC0]
    let result = Tensor([2])
    bytes.withUnsafeBytes {
      FloatConversion.convertToFloat(UnsafeRawBufferPointer(rebasing: $0[1...]), .bf16, into: result.elements)
    }
    #expect(result.array == [1, -2])
  }
}
