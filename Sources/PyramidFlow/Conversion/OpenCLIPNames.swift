import Checkpoints

/// The alternative tensor names of CLIP's text encoder: those of OpenCLIP, and the bare projection that ComfyUI once
/// saved.
enum OpenCLIPNames {
  private static let signature = "transformer.resblocks.0.ln_1.weight"
  private static let modules = [
    "ln_1.": "layer_norm1.", "ln_2.": "layer_norm2.", "attn.out_proj.": "self_attn.out_proj.",
    "mlp.c_fc.": "mlp.fc1.", "mlp.c_proj.": "mlp.fc2.",
  ]
  private static let wholes = [
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
  ]

  /// Returns the weights under the names of `transformers`; unchanged where they have them already.
  ///
  /// OpenCLIP stores queries, keys and values in one matrix, and the projection transposed.
  static func official(_ weights: WeightFiles) -> WeightFiles {
    let names = weights.tensors.map(\.name)
    let prefix = names.first { $0.hasSuffix(signature) }.map { String($0.dropLast(signature.count)) }
    return weights.translated { tensor in
      if tensor.name.hasSuffix("text_projection"),
        let transposed = tensor.transposed(named: tensor.name + ".weight")
      {
        return [transposed]
      }
      guard let prefix, tensor.name.hasPrefix(prefix) else { return [tensor] }
      let rest = String(tensor.name.dropFirst(prefix.count))
      if let whole = wholes[rest] { return [tensor.renamed(prefix + whole)] }
      let parts = rest.split(separator: ".", maxSplits: 3, omittingEmptySubsequences: false)
      guard parts.count == 4, parts[0] == "transformer", parts[1] == "resblocks" else { return [tensor] }
      let layer = "\(prefix)text_model.encoder.layers.\(parts[2])."
      let module = String(parts[3])
      for (from, to) in modules where module.hasPrefix(from) {
        return [tensor.renamed(layer + to + module.dropFirst(from.count))]
      }
      for kind in ["weight", "bias"] where module == "attn.in_proj_" + kind {
        let cut = ["q", "k", "v"].enumerated().compactMap { index, name in
          tensor.part(index, of: 3, named: "\(layer)self_attn.\(name)_proj.\(kind)")
        }
        if cut.count == 3 { return cut }
      }
      return [tensor]
    }
  }
}
