import Foundation
import Kernels
import Tensors

/// The embedding of time and pooled text that conditions the blocks (`CombinedTimestepTextProjEmbeddings`).
struct TimeTextEmbedding {
  private let time1: Linear, time2: Linear
  private let text1: Linear, text2: Linear

  /// The number of features of the sinusoidal embedding; fixed in the official code.
  private static let features = 256

  init(pooledWidth: Int, width: Int, _ scope: WeightScope) throws {
    let time = scope.scope("timestep_embedder")
    time1 = try time.linear("linear_1", Self.features, width)
    time2 = try time.linear("linear_2", width, width)
    let text = scope.scope("text_embedder")
    text1 = try text.linear("linear_1", pooledWidth, width)
    text2 = try text.linear("linear_2", width, width)
  }

  /// Returns one row per sample: times [samples], pooled [samples, pooledWidth] → [samples, width].
  func callAsFunction(times: [Float], pooled: Tensor, in context: KernelContext) throws -> Tensor {
    let features = Self.sinusoids(times, count: Self.features)
    let result = try time2(time1(features, then: [.activation(.silu)], in: context), in: context)
    let text = try text1(pooled, then: [.activation(.silu)], in: context)
    try text2(LinearInput(text), into: result, then: [.residual], in: context)
    return result
  }

  /// Returns the cosines, then sines, of the time at geometrically spaced frequencies (`get_timestep_embedding` with
  /// `flip_sin_to_cos` and no shift).
  ///
  /// Every step rounds to f32 as the official code does: times go up to 1000, so an angle shows the last bit of its
  /// frequency.
  static func sinusoids(_ times: [Float], count: Int) -> Tensor {
    let half = count / 2
    let result = Tensor([times.count, count])
    for (row, time) in times.enumerated() {
      for index in 0..<half {
        let exponent = Float(-log(10000.0)) * Float(index) / Float(half)
        let angle = time * Float(exp(Double(exponent)))
        result.elements[row * count + index] = Float(cos(Double(angle)))
        result.elements[row * count + half + index] = Float(sin(Double(angle)))
      }
    }
    return result
  }
}
