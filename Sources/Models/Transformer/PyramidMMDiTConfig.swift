import JSON
import Tensors

/// The settings of the SD3 transformer (`PyramidDiffusionMMDiT`).
///
/// The config is incomplete: the pipeline requests temporal rotary positions, interpolated condition positions and
/// causal attention, whatever the config says.
package struct PyramidMMDiTConfig: Equatable, Sendable {
  /// The inputs that the transformer expects.
  package let inputs: TransformerInputs
  let layers: Int
  let attention: AttentionSettings
  /// The side of the position table, in tokens.
  let positionSide: Int

  /// The class name in the config.
  package static let className = "PyramidDiffusionMMDiT"

  /// Reads `config.json`.
  package init(json: JSONValue, component: String) throws {
    let reader = ConfigReader(component: component, json: json)
    _ = try reader.text("_class_name", among: [Self.className], default: Self.className)
    let channels = try reader.integer("in_channels", in: 1...1024, default: 16)
    layers = try reader.integer("num_layers", in: 1...1000, default: 24)
    attention = AttentionSettings(
      heads: try reader.integer("num_attention_heads", in: 1...1024, default: 24),
      headDim: try reader.integer("attention_head_dim", in: 2...1024, default: 64), normEpsilon: 1e-5,
      textNormPrefix: "norm_add_")
    positionSide = try reader.integer("pos_embed_max_size", in: 4...4096, default: 192)
    inputs = TransformerInputs(
      latentChannels: channels,
      textWidth: try reader.integer("joint_attention_dim", in: 1...65536, default: 4096),
      pooledWidth: try reader.integer("pooled_projection_dim", in: 1...65536, default: 2048),
      maximumSide: positionSide * Patches.side * CausalVideoVAEConfig.scale)
    let captionWidth = try reader.integer("caption_projection_dim", in: 1...65536, default: 1152)
    let patch = try reader.integer("patch_size", in: 1...64, default: 2)
    try reader.require(patch == Patches.side, "patch_size", "is not \(Patches.side)")
    _ = try reader.text("qk_norm", among: ["rms_norm"], default: "rms_norm")
    _ = try reader.text("pos_embed_type", among: ["sincos"], default: "rope")
    // The blocks' feed-forward is four times as wide, so this bounds every product of sizes.
    try reader.require(attention.width <= 65536, "num_attention_heads", "makes the model too wide")
    try reader.require(attention.headDim % 2 == 0, "attention_head_dim", "is odd")
    try reader.require(
      captionWidth == attention.width, "caption_projection_dim", "is not heads times head size")
  }
}
