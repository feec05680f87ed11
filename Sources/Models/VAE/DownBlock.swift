import Kernels
import Tensors

/// A level of the encoder: residual blocks, then halving of the size in space and in time (`DownEncoderBlockCausal3D`).
struct DownBlock {
  private let blocks: [CausalResidualBlock]
  private let spatial: CausalConvolution?, temporal: CausalConvolution?

  init(
    _ inputs: Int, _ outputs: Int, layers: Int, spatial: Bool, temporal: Bool, groups: Int,
    _ scope: WeightScope
  ) throws {
    blocks = try (0..<layers).map {
      try CausalResidualBlock(
        $0 == 0 ? inputs : outputs, outputs, groups: groups, scope.scope("resnets.\($0)"))
    }
    self.spatial =
      spatial
      ? try CausalConvolution("conv", outputs, outputs, stride: [1, 2, 2], scope.scope("downsamplers.0"))
      : nil
    self.temporal =
      temporal
      ? try CausalConvolution(
        "conv", outputs, outputs, stride: [2, 1, 1], scope.scope("temporal_downsamplers.0"))
      : nil
  }

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    var x = x
    for block in blocks { x = try block(x, cache: cache, in: context) }
    if let spatial { x = try spatial(x, cache: cache, in: context) }
    if let temporal { x = try temporal(x, cache: cache, in: context) }
    return x
  }
}
