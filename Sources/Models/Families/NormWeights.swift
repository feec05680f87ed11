import Kernels
import Tensors

/// The weight and bias of a layer norm or group norm.
struct NormWeights {
  let weight: Weight
  let bias: Weight

  func layerNorm(_ x: Tensor, epsilon: Float) -> Tensor {
    Normalization.layerNorm(x, weight: weight.tensor(), bias: bias.tensor(), epsilon: epsilon)
  }

  func groupNorm(_ x: Tensor, groups: Int, epsilon: Float, activates: Bool) -> Tensor {
    Normalization.groupNorm(
      x, groups: groups, weight: weight.tensor(), bias: bias.tensor(), epsilon: epsilon, activates: activates)
  }
}
