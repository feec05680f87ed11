import Kernels
import Tensors

/// Single-head attention over the pixels of each frame separately (`diffusers`, `Attention`).
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
