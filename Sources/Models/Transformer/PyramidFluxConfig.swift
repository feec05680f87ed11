import JSON
import Tensors

/// The settings of the miniFLUX transformer (`PyramidFluxTransformer`).
package struct PyramidFluxConfig: Equatable, Sendable {
  /// The number of input features of a token: four latent pixels of sixteen channels.
  package let inputWidth: Int
  /// The inputs that the transformer expects.
  package let inputs: TransformerInputs
  let jointLayers: Int, singleLayers: Int
  let attention: AttentionSettings
  let rotaryAxes: [Int]

  /// The class name in the config.
  package static let className = "PyramidFluxTransformer"

  /// Reads `config.json`.
  package init(json: JSONValue, component: String) throws {
    let reader = ConfigReader(component: component, json: json)
    _ = try reader.text("_class_name", among: [Self.className], default: Self.className)
    inputWidth = try reader.integer("in_channels", in: 4...4096, default: 64)
    jointLayers = try reader.integer("num_layers", in: 0...1000, default: 19)
    singleLayers = try reader.integer("num_single_layers", in: 0...1000, default: 38)
    attention = AttentionSettings(
      heads: try reader.integer("num_attention_heads", in: 1...1024, default: 24),
      headDim: try reader.integer("attention_head_dim", in: 2...1024, default: 64), normEpsilon: 1e-6,
      textNormPrefix: "norm_added_")
    inputs = TransformerInputs(
      latentChannels: inputWidth / (Patches.side * Patches.side),
      textWidth: try reader.integer("joint_attention_dim", in: 1...65536, default: 4096),
      pooledWidth: try reader.integer("pooled_projection_dim", in: 1...65536, default: 768),
      maximumSide: GenerationRequest.maximumSide)
    // The pipeline passes these axes whatever the config says; they only fit heads of dimension 64.
    rotaryAxes = [16, 24, 24]
    try reader.require(
      attention.headDim == rotaryAxes.reduce(0, +), "attention_head_dim",
      "is not 64, as the rotary axes demand")
    try reader.require(inputWidth % 4 == 0, "in_channels", "is no multiple of 4")
    // The blocks' feed-forward is four times as wide, so this bounds every product of sizes below.
    try reader.require(attention.width <= 65536, "num_attention_heads", "makes the model too wide")
  }
}
