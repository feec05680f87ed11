import Kernels
import Tensors

/// The output layers of both halves: norm, activation and a convolution.
struct VAEHead: CausalStage {
  let norm: NormWeights
  let convolution: CausalConvolution
  let groups: Int

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    try convolution(normalizedAndActivated(x, norm, groups: groups), cache: cache, in: context)
  }
}
