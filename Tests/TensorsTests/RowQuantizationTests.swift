import Testing

@testable import Tensors

/// Rows in 8 bits with one scale each.
struct RowQuantizationTests {
  private static func random(_ count: Int, seed: UInt64, magnitude: Float) -> [Float] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max) * magnitude
    }
  }

  private static func quantize(_ values: [Float], columns: Int) -> (bytes: [Int8], scales: [Float]) {
    var bytes = [Int8](repeating: 0, count: values.count)
    var scales = [Float](repeating: 0, count: values.count / columns)
    values.withUnsafeBufferPointer { values in
      bytes.withUnsafeMutableBufferPointer { bytes in
        scales.withUnsafeMutableBufferPointer {
          RowQuantization.quantize(values, columns: columns, into: bytes, scales: $0)
        }
      }
    }
    return (bytes, scales)
  }

  /// From the least subnormal numbers to the greatest: half a step is the most that is lost, the greatest value of a row
  /// comes back, and the fast path gives the reference's bytes.
  @Test(arguments: [0x1p-140, 0x1p-127, 0x1p-100, 0x1p-64, 0x1p-10, 1, 70000, 0x1p127] as [Float])
  func losesAtMostHalfAStep(magnitude: Float) {
    let columns = 37
    let values = Self.random(20 * columns, seed: 3, magnitude: magnitude)
    let (bytes, scales) = Self.quantize(values, columns: columns)
    for row in scales.indices {
      let source = Array(values[row * columns..<(row + 1) * columns])
      var reference = [Int8](repeating: 0, count: columns)
      let scale = source.withUnsafeBufferPointer { source in
        reference.withUnsafeMutableBufferPointer { RowQuantization.quantizeRow(source, into: $0) }
      }
      #expect(scale == scales[row] && reference == Array(bytes[row * columns..<(row + 1) * columns]))
      for (value, quantized) in zip(source, reference) {
        // A subnormal scale has few bits itself.
        let rounding = Double(Float.leastNonzeroMagnitude) * 127
        #expect(
          abs(Double(value) - Double(quantized) * Double(scale)) <= 0.5000001 * Double(scale) + rounding)
      }
      #expect(reference.contains { abs(Int($0)) == 127 } || magnitude < .leastNormalMagnitude)
    }
  }

  @Test func zerosStayZero() {
    let (bytes, scales) = Self.quantize([0, -0.0, 0, 1, -1, 0.5], columns: 3)
    #expect(bytes == [0, 0, 0, 127, -127, 64] && scales == [0, 1 / 127])
  }

  @Test func dequantizesWhatItQuantized() {
    let bytes: [Int8] = [127, -127, 3, 0, 1, 2], scales: [Float] = [0.5, 2]
    var values = [Float](repeating: 0, count: 6)
    bytes.withUnsafeBufferPointer { bytes in
      scales.withUnsafeBufferPointer { scales in
        values.withUnsafeMutableBufferPointer {
          RowQuantization.dequantize(bytes, scales: scales, columns: 3, into: $0)
        }
      }
    }
    #expect(values == [63.5, -63.5, 1.5, 0, 2, 4])
  }

  @Test func findsWhatIsNotFinite() {
    for type in [ElementType.f32, .bf16, .f16] {
      for (value, isFinite) in [
        (Float(1), true), (.infinity, false), (-.infinity, false), (.nan, false), (0, true),
      ] {
        var bytes = [UInt8](repeating: 0, count: 9 * type.size)
        let values = [Float](repeating: 1, count: 8) + [value]
        bytes.withUnsafeMutableBytes { bytes in
          values.withUnsafeBufferPointer { FloatConversion.narrow($0, to: type, into: bytes) }
        }
        #expect(bytes.withUnsafeBytes { FloatConversion.isFinite($0, type) } == isFinite, "\(value) \(type)")
      }
    }
  }

  /// Blocks hold what the format says where it says so, and any of their rows can be had again.
  @Test func blocksHoldTheirRows() {
    let (rows, columns) = (192, 128)
    let values = (0..<rows * columns).map { Int8(truncatingIfNeeded: $0 &* 31 &+ $0 / 977) }
    var blocks = values
    values.withUnsafeBufferPointer { values in
      blocks.withUnsafeMutableBufferPointer {
        WeightLayout.blocked.interleave(values, columns: columns, into: $0)
      }
    }
    for (row, column) in [(0, 0), (63, 127), (64, 5), (191, 127), (130, 66)] {
      let place = row / 64 * 64 * columns + column / 4 * 256 + row % 64 * 4 + column % 4
      #expect(blocks[place] == values[row * columns + column])
    }
    for range in [0..<rows, 5..<6, 60..<70, 127..<192] {
      var unpacked = [Int8](repeating: 0, count: range.count * columns)
      blocks.withUnsafeBufferPointer { blocks in
        unpacked.withUnsafeMutableBufferPointer {
          WeightLayout.blocked.deinterleave(blocks, rows: range, columns: columns, into: $0)
        }
      }
      #expect(unpacked == Array(values[range.lowerBound * columns..<range.upperBound * columns]))
    }
  }
}
