import Kernels
import Tensors

/// Returns the stages of a decoder level: residual blocks, then doubling of the size in space and in time
/// (`UpDecoderBlockCausal3D`).
func upStages(
  _ inputs: Int, _ outputs: Int, layers: Int, spatial: Bool, temporal: Bool, groups: Int, _ scope: WeightScope
) throws -> [any CausalStage] {
  var stages: [any CausalStage] = try (0..<layers).map {
    try CausalResidualBlock(
      $0 == 0 ? inputs : outputs, outputs, groups: groups, scope.scope("resnets.\($0)"))
  }
  if spatial {
    stages.append(
      SpatialUpsampling(
        convolution: try CausalConvolution("conv", outputs, 4 * outputs, scope.scope("upsamplers.0"))))
  }
  if temporal {
    stages.append(
      TemporalUpsampling(
        convolution: try CausalConvolution("conv", outputs, 2 * outputs, scope.scope("temporal_upsamplers.0"))
      ))
  }
  return stages
}

/// Doubling of height and width: four channels become a square of pixels (`CausalUpsample2x`).
private struct SpatialUpsampling: CausalStage {
  let convolution: CausalConvolution

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    let (frames, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let result = Tensor([frames, 2 * height, 2 * width, channels])
    // Not all at once: the convolution's output is four times as large as its input.
    for pair in convolution.pairs(frames, cache) {
      Elementwise.pixelShuffle(
        try convolution(x.rows(pair), cache: cache, in: context), into: result.rows(pair))
    }
    return result
  }
}

/// Doubling of the frames: pairs of channels become two frames; the very first frame yields only one
/// (`CausalTemporalUpsample2x`).
private struct TemporalUpsampling: CausalStage {
  let convolution: CausalConvolution

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    let isFirst = convolution.hasSeenNothing(cache)
    let result = Tensor([2 * x.shape[0]] + x.shape.dropFirst())
    for pair in convolution.pairs(x.shape[0], cache) {
      Elementwise.spreadInTime(
        try convolution(x.rows(pair), cache: cache, in: context),
        into: result.rows(2 * pair.lowerBound..<2 * pair.upperBound))
    }
    return isFirst ? result.rows(1..<result.shape[0]) : result
  }
}
