import Checkpoints
import Models

extension ModelFamily.Role {
  /// The rules for tensors that files carry besides the weights that are used.
  var ignoreRules: [ComponentDeclaration.IgnoreRule] {
    switch self {
    case .clip:
      [
        .init(name: "position indices are no weights") { $0 == "text_model.embeddings.position_ids" },
        .init(name: "the pooled vector is not projected") { $0 == "text_projection.weight" },
        .init(name: "only training scales logits") { $0 == "logit_scale" },
        .init(name: "the attention mask is no weight") { $0 == "attn_mask" },
        .init(name: "only the text half is used") {
          $0.hasPrefix("vision_model.") || $0 == "visual_projection.weight"
        },
      ]
    case .t5:
      [
        .init(name: "only the encoder is used") { $0.hasPrefix("decoder.") || $0 == "lm_head.weight" },
        .init(name: "only training scales logits") { $0 == "logit_scale" },
        .init(name: "the tokenizer is a file of its own") { $0 == "spiece_model" },
      ]
    case .transformer, .vae: []
    }
  }
}
