import Files
import Foundation
import TestSupport
import Testing

@testable import Kernels
@testable import Tensors

struct ElementwiseTests {
  /// Rows of the loops that stand behind integer products.
  @Test func rowActivations() {
    let x = KernelReference.random([1, 1000], seed: 6).map { 12 * $0 }
    let functions: [(Activation, (Double) -> Double)] = [
      (.silu, { $0 / (1 + exp(-$0)) }), (.quickGELU, { $0 / (1 + exp(-1.702 * $0)) }),
      (.gelu, { 0.5 * $0 * (1 + erf($0 / 2.0.squareRoot())) }),
      (.geluTanh, { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }),
    ]
    for (activation, function) in functions {
      let output = x.copy()
      activation.apply(to: output.elements)
      KernelReference.expectClose(output, x.array.map { function(Double($0)) }, 1e-12)
    }
  }

  @Test(arguments: [1, 37, 64])
  func rowNorms(width: Int) {
    let x = KernelReference.random([3, width], seed: 1).map { 5 * $0 + 3 }
    let (a, b) = (KernelReference.random([width], seed: 2), KernelReference.random([width], seed: 3))
    func expected(
      _ value: (_ x: Double, _ a: Double, _ b: Double, _ mean: Double, _ sd: Double, _ rms: Double) -> Double
    )
      -> [Double]
    {
      (0..<3).flatMap { row -> [Double] in
        let values = x.rows(row..<row + 1).elements.map(Double.init)
        let mean = values.reduce(0, +) / Double(width)
        let sd = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width) + 1e-6).squareRoot()
        let rms = (values.reduce(0) { $0 + $1 * $1 } / Double(width) + 1e-6).squareRoot()
        return (0..<width).map {
          value(values[$0], Double(a.elements[$0]), Double(b.elements[$0]), mean, sd, rms)
        }
      }
    }
    if width > 1 {
      let modulated = Tensor(x.shape)
      Normalization.layerNorm(x, scale: a, shift: b, epsilon: 1e-6, into: modulated)
      KernelReference.expectClose(
        modulated,
        expected { x, a, b, mean, sd, _ in (x - mean) / sd * (1 + a) + b })
      KernelReference.expectClose(
        Normalization.layerNorm(x, weight: a, bias: b, epsilon: 1e-6),
        expected { x, a, b, mean, sd, _ in (x - mean) / sd * a + b })
    }
    KernelReference.expectClose(
      Normalization.rmsNorm(x, weight: a, epsilon: 1e-6), expected { x, a, _, _, _, rms in x / rms * a })
  }

  @Test(arguments: [false, true])
  func groupNorm(activates: Bool) {
    let x = KernelReference.random([2, 3, 5, 6], seed: 1).map { $0 * 20 }
    let (weight, bias) = (KernelReference.random([6], seed: 2), KernelReference.random([6], seed: 3))
    let result = Normalization.groupNorm(
      x, groups: 3, weight: weight, bias: bias, epsilon: 1e-6, activates: activates)
    var expected: [Double] = []
    for frame in 0..<2 {
      let values = x.rows(frame..<frame + 1).elements.map(Double.init)
      let stats = (0..<3).map { group -> (Double, Double) in
        let members = values.enumerated().filter { $0.offset % 6 / 2 == group }.map(\.element)
        let mean = members.reduce(0, +) / Double(members.count)
        let variance = members.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(members.count)
        return (mean, (variance + 1e-6).squareRoot())
      }
      expected += values.enumerated().map { index, value in
        let channel = index % 6
        let (mean, deviation) = stats[channel / 2]
        let y = (value - mean) / deviation * Double(weight.elements[channel]) + Double(bias.elements[channel])
        return activates ? y / (1 + exp(-y)) : y
      }
    }
    KernelReference.expectClose(result, expected)
  }

  @Test func headsAreNormalizedThenTurned() {
    // Two heads of one pair each, whose mean squares are 1 and 4.
    let x = Tensor([2, 4], [1, 1, 2, -2, 0, 0, 0, 0])
    let heads = HeadNormalization(
      weight: Tensor([2], [1, 3]), epsilon: 0x1p-40, cosines: Tensor([2, 1], [0, 1]),
      sines: Tensor([2, 1], [1, 0]))
    heads(x)
    #expect(x.array == [-3, 1, 3, 1, 0, 0, 0, 0])
  }

  @Test func extremeActivationsStayFinite() {
    let x = Tensor([1, 1, 4, 2], [-1e4, 1e4, -100, 100, -1, 1, 0, 0])
    let result = Normalization.groupNorm(
      x, groups: 1, weight: Tensor([2], [300, 300]), bias: Tensor([2], [0, 0]), epsilon: 1e-6, activates: true
    )
    let areFinite = result.elements.allSatisfy(\.isFinite)
    #expect(areFinite)
  }
}
