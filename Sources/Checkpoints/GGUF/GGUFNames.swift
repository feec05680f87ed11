/// The names that GGUF files give to a T5 encoder's tensors, and those of `transformers`.
///
/// Source: `tensor_mapping.py` of gguf-py (architectures `t5` and `t5encoder`). Files of other programs keep the names of
/// `transformers`.
struct GGUFNames {
  private static let wholes = [
    "token_embd.weight": "shared.weight",
    "enc.output_norm.weight": "encoder.final_layer_norm.weight",
    "output.weight": "lm_head.weight",
  ]
  private static let parts = [
    "attn_q": "layer.0.SelfAttention.q", "attn_k": "layer.0.SelfAttention.k",
    "attn_v": "layer.0.SelfAttention.v", "attn_o": "layer.0.SelfAttention.o",
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias", "attn_norm": "layer.0.layer_norm",
    "ffn_gate": "layer.1.DenseReluDense.wi_0", "ffn_up": "layer.1.DenseReluDense.wi_1",
    "ffn_down": "layer.1.DenseReluDense.wo", "ffn_norm": "layer.1.layer_norm",
  ]

  private let isT5: Bool

  init(architecture: String, names: [String]) {
    isT5 = ["t5", "t5encoder"].contains(architecture) || names.contains { $0.hasPrefix("enc.blk.") }
  }

  /// Returns the name of `transformers`, or the name itself when it is not one of GGUF's.
  func official(_ name: String) -> String {
    guard isT5 else { return name }
    if let whole = Self.wholes[name] { return whole }
    // A decoder is not of use here, and known by this prefix.
    if name.hasPrefix("dec.") { return "decoder." + name.dropFirst("dec.".count) }
    let words = name.split(separator: ".", omittingEmptySubsequences: false)
    guard words.count == 5, words[0] == "enc", words[1] == "blk", words[4] == "weight",
      let part = Self.parts[String(words[3])]
    else { return name }
    return "encoder.block.\(words[2]).\(part).weight"
  }
}
