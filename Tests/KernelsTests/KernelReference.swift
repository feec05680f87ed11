import CKernelLoops
import Files
import Foundation
import TestSupport
import Testing

@testable import Kernels
@testable import Tensors

/// Every kernel as the plainest loop in double precision.
enum KernelReference {
  /// Reproducible values in −1…1.
  static func random(_ shape: Shape, seed: UInt64) -> Tensor {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    let tensor = Tensor(shape)
    for index in tensor.elements.indices {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      tensor.elements[index] = Float(Int32(truncatingIfNeeded: state >> 32)) / Float(Int32.max)
    }
    return tensor
  }

  static func weight(_ tensor: Tensor, _ type: ElementType = .f32) throws -> Weight {
    let path = NSTemporaryDirectory() + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    var bytes = [UInt8](repeating: 0, count: tensor.count * type.size)
    bytes.withUnsafeMutableBytes {
      FloatConversion.narrow(UnsafeBufferPointer(tensor.elements), to: type, into: $0)
    }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let file = try MappedFile(path: path)
    return try #require(
      Weight(name: "w", shape: tensor.shape, type: type, file: file, range: 0..<bytes.count))
  }

  static func expectClose(_ a: Tensor, _ b: [Double], _ tolerance: Double = 1e-11) {
    #expect(ErrorMetrics(a.elements, reference: b.map(Float.init)).nmse < tolerance)
  }

  /// All instructions for products of integers that this processor has, whatever oneDNN may use.
  static let instructions: [bb_instructions] = {
    let flags = ((try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? "").split {
      $0.isWhitespace
    }
    let known = [("avx2", BB_AVX2), ("avx_vnni", BB_AVX2_VNNI), ("avx512_vnni", BB_AVX512_VNNI)]
    return [BB_PLAIN] + known.filter { flags.contains(Substring($0.0)) }.map(\.1)
  }()

  static func product(_ x: Tensor, _ w: Tensor, _ bias: Tensor?) -> [Double] {
    let (rows, inputs, outputs) = (x.shape[0], x.shape[1], w.shape[0])
    return (0..<rows * outputs).map { place in
      let (row, output) = (place / outputs, place % outputs)
      return (0..<inputs).reduce(Double(bias?.elements[output] ?? 0)) {
        $0 + Double(x.elements[row * inputs + $1]) * Double(w.elements[output * inputs + $1])
      }
    }
  }

  /// Products by our own kernel of 16-bit inputs, with weights in blocks where those are possible.
  static func wordProducts(
    _ x: [Int16], rows: Int, _ weights: [Int8], columns: Int, outputs: Int, usesAVX2: Bool
  ) -> [Float] {
    var stored = weights
    let isBlocked = WeightLayout.canBlock([outputs, columns], .int8)
    if isBlocked {
      weights.withUnsafeBufferPointer { rows in
        stored.withUnsafeMutableBufferPointer {
          WeightLayout.blocked.interleave(rows, columns: columns, into: $0)
        }
      }
    }
    var sums = [Float](repeating: .nan, count: rows * outputs)
    stored.withUnsafeBufferPointer {
      let weights = bb_integer_weights(
        values: $0.baseAddress, columns: columns, is_blocked: isBlocked ? 1 : 0)
      bb_integer_product(
        weights, 0, outputs, x, (columns + 3) / 4 * 4, rows, &sums, outputs,
        usesAVX2 ? KernelContext.instructions : BB_PLAIN)
    }
    return sums
  }

  /// An 8-bit weight of these values, laid out as a native file has it.
  static func quantized(_ tensor: Tensor, _ activations: InputPrecision) throws -> Weight {
    let rows = tensor.shape[0]
    let columns = tensor.count / rows
    var bytes = [Int8](repeating: 0, count: tensor.count)
    var scales = [Float](repeating: 0, count: rows)
    bytes.withUnsafeMutableBufferPointer { bytes in
      scales.withUnsafeMutableBufferPointer {
        RowQuantization.quantize(
          UnsafeBufferPointer(tensor.elements), columns: columns, into: bytes, scales: $0)
      }
    }
    let layout = WeightLayout(of: tensor.shape, type: .int8, activations: activations)
    if layout == .blocked {
      let rows = bytes
      rows.withUnsafeBufferPointer { rows in
        bytes.withUnsafeMutableBufferPointer { layout.interleave(rows, columns: columns, into: $0) }
      }
    }
    let path = NSTemporaryDirectory() + UUID().uuidString
    defer { try? FileManager.default.removeItem(atPath: path) }
    let start = (bytes.count + 63) / 64 * 64
    let padding = [Int8](repeating: 0, count: start - bytes.count)
    let data = (bytes + padding).withUnsafeBytes { Data($0) } + scales.withUnsafeBytes { Data($0) }
    try data.write(to: URL(fileURLWithPath: path))
    return try #require(
      Weight(
        name: "w", shape: tensor.shape, layout: layout, file: try MappedFile(path: path),
        values: 0..<bytes.count, scales: start..<start + 4 * rows, activations: activations))
  }

  static func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, heads: Int, blocks: [AttentionBlock], scale: Double, bias: Tensor?
  ) -> [Double] {
    let (tokens, width) = (q.shape[0], q.shape[1])
    let headDim = width / heads
    var expected = [Double](repeating: 0, count: q.count)
    for block in blocks {
      for query in block.queries {
        for head in 0..<heads {
          let scores = (0..<block.keys).map { key -> Double in
            let dot = (0..<headDim).reduce(0.0) {
              $0 + Double(q.elements[query * width + head * headDim + $1])
                * Double(k.elements[key * width + head * headDim + $1])
            }
            let place = (head * tokens + query) * tokens + key
            return exp(scale * dot + (bias.map { Double($0.elements[place]) } ?? 0))
          }
          let sum = scores.reduce(0, +)
          for dim in 0..<headDim {
            expected[query * width + head * headDim + dim] = scores.enumerated().reduce(0) {
              $0 + $1.element / sum * Double(v.elements[$1.offset * width + head * headDim + dim])
            }
          }
        }
      }
    }
    return expected
  }

  static func convolution(
    _ x: Tensor, _ weights: Tensor, _ bias: Tensor, stride: [Int], timePadding: Int, output shape: Shape
  ) -> [Double] {
    let (time, height, width, inputs) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    var expected: [Double] = []
    for t in 0..<shape[0] {
      for h in 0..<shape[1] {
        for w in 0..<shape[2] {
          for output in 0..<shape[3] {
            var sum = Double(bias.elements[output])
            for tap in 0..<27 {
              let source = [
                t * stride[0] + tap / 9 - timePadding, h * stride[1] + tap / 3 % 3 - 1,
                w * stride[2] + tap % 3 - 1,
              ]
              guard 0..<time ~= source[0], 0..<height ~= source[1], 0..<width ~= source[2] else { continue }
              for input in 0..<inputs {
                sum +=
                  Double(x.elements[((source[0] * height + source[1]) * width + source[2]) * inputs + input])
                  * Double(weights.elements[(output * inputs + input) * 27 + tap])
              }
            }
            expected.append(sum)
          }
        }
      }
    }
    return expected
  }
}
