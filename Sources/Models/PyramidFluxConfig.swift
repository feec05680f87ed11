import JSON
import Tensors

/// The settings of the miniFLUX transformer (`PyramidFluxTransformer`).
public struct PyramidFluxConfig: Equatable, Sendable {
  /// Input features of a token: four latent pixels of sixteen channels.
  public let inputWidth: Int
  /// The width of the T5 embeddings and of the pooled CLIP vector.
  public let textWidth: Int, pooledWidth: Int
  let jointLayers: Int, singleLayers: Int, heads: Int, headDim: Int
  let rotaryAxes: [Int]

  /// The width of the residual stream.
  public var width: Int { heads * headDim }
  /// Latent channels.
  public var latentChannels: Int { inputWidth / 4 }

  /// Features of the sinusoidal time embedding; fixed in the official code.
  static let timeFeatures = 256
  /// Latent pixels on a token's side; fixed in the official code.
  static let patch = 2
  static let epsilon: Float = 1e-6

  /// Whether an embedding has the widths that the transformer expects.
  public func accepts(_ text: TextEmbedding) -> Bool {
    text.tokens.shape[1] == textWidth && text.pooled.shape[1] == pooledWidth
  }

  /// Reads `config.json`.
  public init(json: JSONValue, component: String) throws {
    let reader = ConfigReader(component: component, json: json)
    _ = try reader.text("_class_name", among: ["PyramidFluxTransformer"], default: "PyramidFluxTransformer")
    inputWidth = try reader.integer("in_channels", in: 4...4096, default: 64)
    jointLayers = try reader.integer("num_layers", in: 0...1000, default: 19)
    singleLayers = try reader.integer("num_single_layers", in: 0...1000, default: 38)
    headDim = try reader.integer("attention_head_dim", in: 2...1024, default: 64)
    heads = try reader.integer("num_attention_heads", in: 1...1024, default: 24)
    textWidth = try reader.integer("joint_attention_dim", in: 1...65536, default: 4096)
    pooledWidth = try reader.integer("pooled_projection_dim", in: 1...65536, default: 768)
    // The pipeline passes these axes whatever the config says; they only fit heads of 64.
    rotaryAxes = [16, 24, 24]
    try reader.require(
      headDim == rotaryAxes.reduce(0, +), "attention_head_dim", "is not 64, as the rotary axes demand")
    try reader.require(inputWidth % 4 == 0, "in_channels", "is no multiple of 4")
    // The blocks' feed-forward is four times as wide, so this bounds every product of sizes below.
    try reader.require(width <= 65536, "num_attention_heads", "makes the model too wide")
  }
}
