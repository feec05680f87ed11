import Kernels
import Tensors

/// A part of the VAE that works frame by frame and looks back only through its convolutions' caches, so that a clip may
/// come in pieces of any length.
protocol CausalStage {
  /// Maps frames [time, height, width, channels] to frames; x may be modified.
  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor
}

/// Applies group norm to every frame, then SiLU.
func normalizedAndActivated(_ x: Tensor, _ norm: NormWeights, groups: Int) -> Tensor {
  norm.groupNorm(x, groups: groups, epsilon: CausalVideoVAEConfig.normEpsilon, activates: true)
}
