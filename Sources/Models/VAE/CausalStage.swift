import Kernels
import Tensors

/// A part of the VAE that works frame by frame, looking back only at what its convolutions remember: a clip may come in
/// pieces of any length.
protocol CausalStage {
  /// Frames [time, height, width, channels] to frames; x may be changed.
  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor
}

/// Group norm of every frame, then SiLU.
func normalizedAndActivated(_ x: Tensor, _ norm: NormWeights, groups: Int) -> Tensor {
  norm.groupNorm(x, groups: groups, epsilon: CausalVideoVAEConfig.normEpsilon, activates: true)
}
