import Foundation
import JSON
import Kernels
import Tensors

/// The settings that determine the computation of a T5 encoder.
package struct T5Config: Equatable, Sendable {
  let vocabularySize: Int, width: Int, headDim: Int, heads: Int, feedForwardWidth: Int, layers: Int
  let buckets: Int, maximumDistance: Int
  let epsilon: Float

  /// The width of the encoder's output embeddings.
  package var outputWidth: Int { width }

  /// Reads `config.json`.
  package init(json: JSONValue, component: String) throws {
    let reader = ConfigReader(component: component, json: json)
    vocabularySize = try reader.integer("vocab_size", in: 1...10_000_000)
    width = try reader.integer("d_model", in: 1...65536)
    headDim = try reader.integer("d_kv", in: 1...4096)
    heads = try reader.integer("num_heads", in: 1...1024)
    feedForwardWidth = try reader.integer("d_ff", in: 1...262_144)
    layers = try reader.integer("num_layers", in: 1...1000)
    buckets = try reader.integer("relative_attention_num_buckets", in: 4...4096, default: 32)
    maximumDistance = try reader.integer("relative_attention_max_distance", in: 2...65536, default: 128)
    epsilon = try reader.positive("layer_norm_epsilon", default: 1e-6)
    _ = try reader.text("feed_forward_proj", among: ["gated-gelu"], default: "relu")
    try reader.require(buckets % 4 == 0, "relative_attention_num_buckets", "is no multiple of 4")
    try reader.require(
      maximumDistance > buckets / 4, "relative_attention_max_distance", "is not beyond the exact buckets")
  }
}
