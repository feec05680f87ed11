import Files
import JSON
import Tensors

/// The config of a component whose file holds weights only: deduced from the tensors' shapes and, for fields that the
/// shapes do not determine, set as in the official releases.
package struct DeducedConfig {
  /// The config, with the field names of the component's official class.
  package let json: JSONValue
  /// The fields that the shapes do not determine.
  package let assumed: [String]

  /// Deduces the config of a component.
  ///
  /// - Parameters:
  ///   - role: the component's role.
  ///   - family: the family, which decides the class of a transformer.
  ///   - component: the component's official name, for messages and to distinguish CLIP-L from CLIP-G.
  ///   - shapes: the shapes of all tensors, by official name.
  ///   - layerNormEpsilon: the ε of a T5 encoder's norms where its file states it.
  /// - Throws: ``BenbenError`` that names the tensor that is missing or has another rank.
  package init(
    role: ModelFamily.Role, family: ModelFamily, component: String, shapes: [String: Shape],
    layerNormEpsilon: Double? = nil
  ) throws {
    let shapes = Shapes(component: component, shapes: shapes)
    var members: [String: JSONValue]
    switch role {
    case .transformer:
      members =
        switch family.architecture {
        case .flux: try Self.flux(shapes)
        case .mmdit: try Self.mmdit(shapes)
        }
      assumed = []
    case .vae:
      members = try Self.vae(shapes)
      assumed = ["encoder_norm_num_groups", "decoder_norm_num_groups"]
      for name in assumed { members[name] = 32 }
    case .t5:
      members = try Self.t5(shapes)
      members["relative_attention_max_distance"] = 128
      members["layer_norm_epsilon"] = .number(layerNormEpsilon ?? 1e-6)
      assumed =
        (layerNormEpsilon == nil ? ["layer_norm_epsilon"] : []) + ["relative_attention_max_distance"]
    case .clip:
      members = try Self.clip(shapes)
      let width = members["hidden_size"]?.integer ?? 0
      members["num_attention_heads"] = .integer(max(width / 64, 1))
      members["hidden_act"] = component == family.clipComponents.first ? "quick_gelu" : "gelu"
      members["layer_norm_eps"] = 1e-5
      members["eos_token_id"] = 2
      assumed = ["eos_token_id", "hidden_act", "layer_norm_eps", "num_attention_heads"]
    }
    json = .object(members)
  }

  /// The most levels of a VAE's half; the released one has four.
  private static let maximumBlocks = 64

  private static func flux(_ shapes: Shapes) throws -> [String: JSONValue] {
    let embedder = try shapes["x_embedder.weight", rank: 2]
    let isJoint = shapes.count("transformer_blocks") > 0
    let head = try shapes[
      isJoint ? "transformer_blocks.0.attn.norm_q.weight" : "single_transformer_blocks.0.attn.norm_q.weight",
      rank: 1][0]
    return [
      "_class_name": .string(PyramidFluxConfig.className), "in_channels": .integer(embedder[1]),
      "num_layers": .integer(shapes.count("transformer_blocks")),
      "num_single_layers": .integer(shapes.count("single_transformer_blocks")),
      "attention_head_dim": .integer(head), "num_attention_heads": .integer(embedder[0] / max(head, 1)),
      "joint_attention_dim": .integer(try shapes["context_embedder.weight", rank: 2][1]),
      "pooled_projection_dim": .integer(
        try shapes["time_text_embed.text_embedder.linear_1.weight", rank: 2][1]),
    ]
  }

  private static func mmdit(_ shapes: Shapes) throws -> [String: JSONValue] {
    let embedder = try shapes["pos_embed.proj.weight", rank: 4]
    let head = try shapes["transformer_blocks.0.attn.norm_q.weight", rank: 1][0]
    let positions = try shapes["pos_embed.pos_embed", rank: 3][1]
    return [
      "_class_name": .string(PyramidMMDiTConfig.className), "in_channels": .integer(embedder[1]),
      "patch_size": .integer(embedder[2]), "num_layers": .integer(shapes.count("transformer_blocks")),
      "attention_head_dim": .integer(head), "num_attention_heads": .integer(embedder[0] / max(head, 1)),
      "caption_projection_dim": .integer(embedder[0]),
      "joint_attention_dim": .integer(try shapes["context_embedder.weight", rank: 2][1]),
      "pooled_projection_dim": .integer(
        try shapes["time_text_embed.text_embedder.linear_1.weight", rank: 2][1]),
      "pos_embed_max_size": .integer(Int(Double(positions).squareRoot())), "pos_embed_type": "sincos",
      "qk_norm": "rms_norm",
    ]
  }

  private static func vae(_ shapes: Shapes) throws -> [String: JSONValue] {
    var members: [String: JSONValue] = ["_class_name": "CausalVideoVAE"]
    for (half, direction) in [("encoder", "down"), ("decoder", "up")] {
      let blocks = (0..<shapes.count("\(half).\(direction)_blocks")).map {
        "\(half).\(direction)_blocks.\($0)"
      }
      guard blocks.count <= maximumBlocks else {
        throw BenbenError(
          .malformed, "the config cannot be deduced", at: "\(half).\(direction)_blocks",
          because: "there are \(blocks.count)")
      }
      let widths = try blocks.map { try shapes["\($0).resnets.0.conv1.conv.weight", rank: 5][0] }
      // The config lists the widths from the finest level on; the decoder computes from the coarsest.
      members["\(half)_block_out_channels"] = .array(
        (direction == "down" ? widths : widths.reversed()).map(JSONValue.integer))
      members["\(half)_layers_per_block"] = .array(
        blocks.map { .integer(shapes.count($0 + ".resnets")) })
      for (kind, module) in [("spatial", ""), ("temporal", "temporal_")] {
        members["\(half)_\(kind)_\(direction)_sample"] = .array(
          blocks.map { .bool(shapes.has("\($0).\(module)\(direction)samplers.0.conv.conv.weight")) })
      }
      members["\(half)_in_channels"] = .integer(try shapes["\(half).conv_in.conv.weight", rank: 5][1])
      let outputs = try shapes["\(half).conv_out.conv.weight", rank: 5][0]
      // The encoder outputs a mean and a log-variance for each channel.
      members["\(half)_out_channels"] = .integer(half == "encoder" ? outputs / 2 : outputs)
    }
    return members
  }

  private static func t5(_ shapes: Shapes) throws -> [String: JSONValue] {
    let block = "encoder.block.0.layer."
    let shared = shapes.has("shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight"
    let embedding = try shapes[shared, rank: 2]
    let bias = try shapes[block + "0.SelfAttention.relative_attention_bias.weight", rank: 2]
    let inner = try shapes[block + "0.SelfAttention.q.weight", rank: 2][0]
    return [
      "architectures": ["T5EncoderModel"], "model_type": "t5", "vocab_size": .integer(embedding[0]),
      "d_model": .integer(embedding[1]), "num_heads": .integer(bias[1]),
      "d_kv": .integer(inner / max(bias[1], 1)), "relative_attention_num_buckets": .integer(bias[0]),
      "d_ff": .integer(try shapes[block + "1.DenseReluDense.wi_0.weight", rank: 2][0]),
      "num_layers": .integer(shapes.count("encoder.block")), "feed_forward_proj": "gated-gelu",
    ]
  }

  private static func clip(_ shapes: Shapes) throws -> [String: JSONValue] {
    let embedding = try shapes["text_model.embeddings.token_embedding.weight", rank: 2]
    var members: [String: JSONValue] = [
      "model_type": "clip_text_model", "vocab_size": .integer(embedding[0]),
      "hidden_size": .integer(embedding[1]),
      "max_position_embeddings": .integer(
        try shapes["text_model.embeddings.position_embedding.weight", rank: 2][0]),
      "intermediate_size": .integer(
        try shapes["text_model.encoder.layers.0.mlp.fc1.weight", rank: 2][0]),
      "num_hidden_layers": .integer(shapes.count("text_model.encoder.layers")),
    ]
    if shapes.has("text_projection.weight") {
      members["projection_dim"] = .integer(try shapes["text_projection.weight", rank: 2][0])
    }
    return members
  }

  /// The shapes of a component's tensors.
  private struct Shapes {
    let component: String
    let shapes: [String: Shape]

    subscript(_ name: String, rank rank: Int) -> Shape {
      get throws {
        guard let shape = shapes[name], shape.count == rank else {
          throw BenbenError(
            .malformed, "the config cannot be deduced", at: "\(component): tensor \"\(name)\"",
            because: shapes[name].map { "its shape is \($0.text)" } ?? "it is missing",
            remedies: ["The file may be incomplete, or of another model."])
        }
        return shape
      }
    }

    func has(_ name: String) -> Bool { shapes[name] != nil }

    /// Counts the numbered modules under a name.
    func count(_ list: String) -> Int {
      var numbers: Set<Int> = []
      for name in shapes.keys where name.hasPrefix(list + ".") {
        if let number = Int(name.dropFirst(list.count + 1).prefix { $0 != "." }) { numbers.insert(number) }
      }
      return numbers.count
    }
  }
}
