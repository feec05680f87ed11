import JSON
import Kernels
import Tensors

/// The settings that determine the computation of CLIP's text transformer.
package struct CLIPTextConfig: Equatable, Sendable {
  let vocabularySize: Int, width: Int, feedForwardWidth: Int, layers: Int, heads: Int, positions: Int
  let activation: Activation
  let epsilon: Float
  let endOfTextID: Int
  /// The width of the projection, or nil when the pooled vector is not projected.
  let projectionWidth: Int?

  /// The width of the pooled vector.
  var pooledWidth: Int { projectionWidth ?? width }

  /// Reads `config.json`.
  ///
  /// - Parameter projectsPooled: whether the family projects the pooled vector (`CLIPTextModelWithProjection`).
  package init(json: JSONValue, component: String, projectsPooled: Bool) throws {
    let reader = ConfigReader(component: component, json: json)
    vocabularySize = try reader.integer("vocab_size", in: 1...10_000_000)
    width = try reader.integer("hidden_size", in: 1...65536)
    feedForwardWidth = try reader.integer("intermediate_size", in: 1...262_144)
    layers = try reader.integer("num_hidden_layers", in: 1...1000)
    heads = try reader.integer("num_attention_heads", in: 1...1024)
    positions = try reader.integer("max_position_embeddings", in: 1...65536, default: 77)
    activation =
      try reader.text("hidden_act", among: ["quick_gelu", "gelu"], default: "quick_gelu") == "gelu"
      ? .gelu : .quickGELU
    epsilon = try reader.positive("layer_norm_eps", default: 1e-5)
    endOfTextID = try reader.integer("eos_token_id", in: 0...10_000_000, default: 49407)
    projectionWidth =
      projectsPooled ? try reader.integer("projection_dim", in: 1...65536, default: 512) : nil
    try reader.require(width % heads == 0, "num_attention_heads", "does not divide hidden_size")
  }
}
