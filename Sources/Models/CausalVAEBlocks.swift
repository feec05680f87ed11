import Kernels
import Tensors

/// Group norm of every frame, then SiLU.
private func normalizedAndActivated(_ x: Tensor, _ norm: NormWeights, groups: Int) -> Tensor {
  norm.groupNorm(x, groups: groups, epsilon: CausalVideoVAEConfig.normEpsilon, activates: true)
}

/// Two convolutions around a shortcut (`CausalResnetBlock3D`).
struct CausalResidualBlock {
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
    let residual = [Linear.Segment(rows: 0..<pixels, epilogue: [.residual])]
    for frame in 0..<x.shape[0] {
      let input = LinearInput(normed.rows(frame..<frame + 1).reshaped([pixels, channels]))
      let attended = try context.attention(
        AttentionInput(
          query: try query(input, in: context), key: try key(input, in: context),
          value: try value(input, in: context), heads: 1),
        blocks: [AttentionBlock(queries: 0..<pixels, keys: pixels)], scale: 1 / Float(channels).squareRoot())
      let stream = x.rows(frame..<frame + 1).reshaped([pixels, channels])
      try output(LinearInput(attended), into: stream, segments: residual, in: context)
    }
  }
}

/// The coarsest level of both halves (`CausalUNetMidBlock2D`).
struct CausalMiddleBlock {
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

/// A level of the decoder: residual blocks, then twice the size in space and in time (`UpDecoderBlockCausal3D`).
struct UpBlock {
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
      spatial ? try CausalConvolution("conv", outputs, 4 * outputs, scope.scope("upsamplers.0")) : nil
    self.temporal =
      temporal
      ? try CausalConvolution("conv", outputs, 2 * outputs, scope.scope("temporal_upsamplers.0")) : nil
  }

  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    var x = x
    for block in blocks { x = try block(x, cache: cache, in: context) }
    if let spatial { x = Self.spread(inSpace: try spatial(x, cache: cache, in: context)) }
    if let temporal {
      x = Self.spread(inTime: try temporal(x, cache: cache, in: context))
      // The very first frame stands for one frame, not for two.
      if cache.isFirstChunk { x = x.rows(1..<x.shape[0]) }
    }
    return x
  }

  /// [time, height, width, 4c] → [time, 2·height, 2·width, c].
  private static func spread(inSpace x: Tensor) -> Tensor {
    let (frames, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3] / 4)
    let result = Tensor([frames, 2 * height, 2 * width, channels])
    var source = 0
    for row in 0..<frames * height {
      for column in 0..<width {
        // The rows of the result that this pixel lands in start here.
        let upper = (2 * row * 2 * width + 2 * column) * channels
        let lower = upper + 2 * width * channels
        for channel in 0..<channels {
          result.elements[upper + channel] = x.elements[source]
          result.elements[upper + channels + channel] = x.elements[source + 1]
          result.elements[lower + channel] = x.elements[source + 2]
          result.elements[lower + channels + channel] = x.elements[source + 3]
          source += 4
        }
      }
    }
    return result
  }

  /// [time, height, width, 2c] → [2·time, height, width, c].
  private static func spread(inTime x: Tensor) -> Tensor {
    let (frames, pixels, channels) = (x.shape[0], x.shape[1] * x.shape[2], x.shape[3] / 2)
    let result = Tensor([2 * frames, x.shape[1], x.shape[2], channels])
    for frame in 0..<frames {
      let even = 2 * frame * pixels * channels
      let odd = even + pixels * channels
      let source = frame * pixels * 2 * channels
      for index in 0..<pixels * channels {
        result.elements[even + index] = x.elements[source + 2 * index]
        result.elements[odd + index] = x.elements[source + 2 * index + 1]
      }
    }
    return result
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

/// The convolutions, norm and activation at either end of a half.
struct VAEEnds {
  let input: CausalConvolution
  let norm: NormWeights
  let output: CausalConvolution

  func finish(_ x: Tensor, groups: Int, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    try output(normalizedAndActivated(x, norm, groups: groups), cache: cache, in: context)
  }
}
