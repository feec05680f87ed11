import Kernels
import Tensors

/// Group norm of every frame, then SiLU.
private func normalizedAndActivated(_ x: Tensor, _ norm: NormWeights, groups: Int) -> Tensor {
  norm.groupNorm(x, groups: groups, epsilon: CausalVideoVAEConfig.normEpsilon, activates: true)
}

/// A part of the VAE that works frame by frame, looking back only at what its convolutions remember: a clip may come in
/// pieces of any length.
protocol CausalStage {
  /// Frames [time, height, width, channels] to frames; x may be changed.
  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor
}

/// Two convolutions around a shortcut (`CausalResnetBlock3D`).
struct CausalResidualBlock: CausalStage {
  private let norm1: NormWeights, norm2: NormWeights
  private let convolution1: CausalConvolution, convolution2: CausalConvolution
  private let shortcut: CausalConvolution?
  private let groups: Int

  init(_ inputs: Int, _ outputs: Int, groups: Int, _ scope: WeightScope) throws {
    norm1 = try scope.norm("norm1", inputs)
    convolution1 = try CausalConvolution("conv1", inputs, outputs, scope)
    norm2 = try scope.norm("norm2", outputs)
    convolution2 = try CausalConvolution("conv2", outputs, outputs, scope)
    shortcut =
      inputs == outputs ? nil : try CausalConvolution("conv_shortcut", inputs, outputs, kernel: 1, scope)
    self.groups = groups
  }

  /// Consumes x: without a shortcut convolution the result is added to it in place.
  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    var hidden = normalizedAndActivated(x, norm1, groups: groups)
    hidden = try convolution1(hidden, cache: cache, in: context)
    hidden = normalizedAndActivated(hidden, norm2, groups: groups)
    let residual = try shortcut.map { try $0(x, cache: cache, in: context) } ?? x
    return try convolution2(hidden, cache: cache, addingTo: residual, in: context)
  }
}

/// Attention over the pixels of each frame by itself, one head (`diffusers`, `Attention`).
private struct FrameAttention {
  let norm: NormWeights
  let query: Linear, key: Linear, value: Linear, output: Linear
  let channels: Int, groups: Int

  init(_ channels: Int, groups: Int, _ scope: WeightScope) throws {
    norm = try scope.norm("group_norm", channels)
    query = try scope.linear("to_q", channels, channels)
    key = try scope.linear("to_k", channels, channels)
    value = try scope.linear("to_v", channels, channels)
    output = try scope.linear("to_out.0", channels, channels)
    self.channels = channels
    self.groups = groups
  }

  /// Adds the attention to x in place.
  func callAsFunction(_ x: Tensor, in context: KernelContext) throws {
    let pixels = x.shape[1] * x.shape[2]
    let normed = norm.groupNorm(
      x, groups: groups, epsilon: CausalVideoVAEConfig.normEpsilon, activates: false)
    for frame in 0..<x.shape[0] {
      let input = LinearInput(normed.rows(frame..<frame + 1).reshaped([pixels, channels]))
      let attended = try context.attention(
        AttentionInput(
          query: try query(input, in: context), key: try key(input, in: context),
          value: try value(input, in: context), heads: 1),
        blocks: [AttentionBlock(queries: 0..<pixels, keys: pixels)], scale: 1 / Float(channels).squareRoot())
      let stream = x.rows(frame..<frame + 1).reshaped([pixels, channels])
      try output(LinearInput(attended), into: stream, then: [.residual], in: context)
    }
  }
}

/// The coarsest level of both halves (`CausalUNetMidBlock2D`).
struct CausalMidBlock: CausalStage {
  private let first: CausalResidualBlock, second: CausalResidualBlock
  private let attention: FrameAttention

  init(_ channels: Int, groups: Int, _ scope: WeightScope) throws {
    attention = try FrameAttention(channels, groups: groups, scope.scope("attentions.0"))
    first = try CausalResidualBlock(channels, channels, groups: groups, scope.scope("resnets.0"))
    second = try CausalResidualBlock(channels, channels, groups: groups, scope.scope("resnets.1"))
  }

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    let hidden = try first(x, cache: cache, in: context)
    try attention(hidden, in: context)
    return try second(hidden, cache: cache, in: context)
  }
}

/// The stages of a level of the decoder: residual blocks, then twice the size in space and in time
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

/// Twice the height and width: four channels become a square of pixels (`CausalUpsample2x`).
private struct SpatialUpsampling: CausalStage {
  let convolution: CausalConvolution

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    let (frames, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let result = Tensor([frames, 2 * height, 2 * width, channels])
    // One frame at a time: what the convolution gives is four times as large as its input.
    for frame in 0..<frames {
      Elementwise.pixelShuffle(
        try convolution(x.rows(frame..<frame + 1), cache: cache, in: context),
        into: result.rows(frame..<frame + 1))
    }
    return result
  }
}

/// Twice the frames: two channels become a pair of pixels; the very first frame stands for one (`CausalTemporalUpsample2x`).
private struct TemporalUpsampling: CausalStage {
  let convolution: CausalConvolution

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    let isFirst = convolution.hasSeenNothing(cache)
    let result = Tensor([2 * x.shape[0]] + x.shape.dropFirst())
    for frame in 0..<x.shape[0] {
      Elementwise.spreadInTime(
        try convolution(x.rows(frame..<frame + 1), cache: cache, in: context),
        into: result.rows(2 * frame..<2 * frame + 2))
    }
    return isFirst ? result.rows(1..<result.shape[0]) : result
  }
}

/// A level of the encoder: residual blocks, then half the size in space and in time (`DownEncoderBlockCausal3D`).
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

/// The end of both halves: norm, activation and a convolution.
struct VAEHead: CausalStage {
  let norm: NormWeights
  let convolution: CausalConvolution
  let groups: Int

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    try convolution(normalizedAndActivated(x, norm, groups: groups), cache: cache, in: context)
  }
}
