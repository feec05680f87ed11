import Files
import Tensors

/// A component recognised by its tensors' names alone, whatever the file is called.
package struct RecognizedWeights: Equatable, Sendable {
  /// The role of the component.
  package let role: ModelFamily.Role
  /// The name of the family, or nil where both families use the same names (VAE, T5, CLIP).
  package let family: String?
  /// The prefix of all the component's tensor names in the file.
  package let prefix: String

  /// A tensor that every component of a kind has and no other does.
  private struct Signature {
    let role: ModelFamily.Role
    let family: String?
    let tensor: String
  }

  private static let signatures = [
    Signature(role: .transformer, family: ModelFamily.miniFLUX.name, tensor: "x_embedder.weight"),
    Signature(role: .transformer, family: ModelFamily.sd3.name, tensor: "pos_embed.proj.weight"),
    Signature(role: .vae, family: nil, tensor: "post_quant_conv.conv.weight"),
    Signature(role: .clip, family: nil, tensor: "text_model.embeddings.token_embedding.weight"),
    Signature(role: .clip, family: nil, tensor: "transformer.resblocks.0.ln_1.weight"),
    Signature(role: .t5, family: nil, tensor: "encoder.block.0.layer.0.SelfAttention.q.weight"),
  ]

  /// The prefixes that programs put before a component's tensor names, each with its origin.
  ///
  /// A file may hold several components side by side, each under a prefix of its own.
  package static let prefixRules: [(prefix: String, rule: String)] = [
    ("", "the official names"),
    ("module.", "saved from data-parallel training"),
    ("model.", "saved from a training loop"),
    ("online_model.", "saved from a training loop beside its moving average"),
    ("module.module.", "saved from data-parallel training inside another"),
    ("model.module.", "saved from a training loop in data-parallel training"),
    ("online_model.module.", "saved from data-parallel training beside its moving average"),
    ("ema.", "the moving average of a training loop"),
    ("model_ema.", "the moving average of a training loop"),
    ("ema_model.", "the moving average of a training loop"),
    ("module_ema.", "the moving average of a training loop"),
    ("_orig_mod.", "saved from a compiled module"),
    ("module._orig_mod.", "saved from a compiled module in data-parallel training"),
    ("_orig_mod.module.", "saved from a compiled module in data-parallel training"),
    ("model.diffusion_model.", "a ComfyUI checkpoint's diffusion model"),
    ("diffusion_model.", "a ComfyUI diffusion model"),
    ("dit.", "saved from the official pipeline"),
    ("transformer.", "saved from a diffusers pipeline, or a text encoder inside its wrapper"),
    ("vae.", "saved from a pipeline"),
    ("causal_video_vae.", "an export of several components"),
    ("first_stage_model.", "a ComfyUI checkpoint's VAE"),
    ("text_encoder.", "saved from a pipeline"),
    ("text_encoder_2.", "saved from a pipeline"),
    ("text_encoder_3.", "saved from a pipeline"),
    ("text_encoder.text_encoder.", "saved from the official pipeline"),
    ("text_encoder.text_encoder_2.", "saved from the official pipeline"),
    ("text_encoder.text_encoder_3.", "saved from the official pipeline"),
    ("text_encoders.clip_l.transformer.", "a ComfyUI checkpoint's CLIP-L"),
    ("text_encoders.clip_g.transformer.", "a ComfyUI checkpoint's CLIP-G"),
    ("text_encoders.t5xxl.transformer.", "a ComfyUI checkpoint's T5"),
    ("text_encoders.clip_l.", "a ComfyUI checkpoint's CLIP-L"),
    ("text_encoders.clip_g.", "a ComfyUI checkpoint's CLIP-G"),
    ("text_encoders.t5xxl.", "a ComfyUI checkpoint's T5"),
    ("clip_l.transformer.", "ComfyUI's CLIP-L"),
    ("clip_g.transformer.", "ComfyUI's CLIP-G"),
    ("t5xxl.transformer.", "ComfyUI's T5"),
    ("clip_l.", "ComfyUI's CLIP-L"),
    ("clip_g.", "ComfyUI's CLIP-G"),
    ("t5xxl.", "ComfyUI's T5"),
    ("cond_stage_model.transformer.", "a checkpoint's text encoder"),
    ("conditioner.embedders.0.transformer.", "a checkpoint's text encoder"),
    ("cond_stage_model.clip_l.transformer.", "a checkpoint's CLIP-L"),
    ("cond_stage_model.clip_g.transformer.", "a checkpoint's CLIP-G"),
    ("cond_stage_model.t5xxl.transformer.", "a checkpoint's T5"),
    ("cond_stage_model.clip_l.", "a checkpoint's CLIP-L"),
    ("cond_stage_model.clip_g.", "a checkpoint's CLIP-G"),
    ("cond_stage_model.t5xxl.", "a checkpoint's T5"),
    ("cond_stage_model.model.", "a checkpoint's OpenCLIP"),
    ("conditioner.embedders.1.model.", "a checkpoint's OpenCLIP"),
  ]

  /// Returns all components whose tensors a file holds, in the order of ``prefixRules``.
  package static func all(in names: Set<String>) -> [RecognizedWeights] {
    (prefixRules.map(\.prefix) + transformerPrefixes(in: names)).flatMap { prefix in
      signatures.filter { names.contains(prefix + $0.tensor) }
        .map { RecognizedWeights(role: $0.role, family: $0.family, prefix: prefix) }
    }
  }

  /// Returns the prefixes of an export of several components: the transformers' names, which say a variant.
  private static func transformerPrefixes(in names: Set<String>) -> [String] {
    Set(
      names.compactMap { name in
        guard name.hasPrefix(ModelFamily.transformerPrefix), let dot = name.firstIndex(of: ".") else {
          return nil
        }
        return String(name[...dot])
      }
    ).sorted()
  }

  /// Returns what the weights are after all, where they are a part of the component or a relative of it; nil for itself.
  package func mistaken(in names: Set<String>) -> String? {
    func has(_ name: String) -> Bool { names.contains(prefix + name) }
    return switch role {
    case .vae where !has("encoder.conv_in.conv.weight"): "the decoder of a VAE without its encoder"
    case .vae where !has("decoder.conv_in.conv.weight"): "the encoder of a VAE without its decoder"
    case .transformer where has("time_text_embed.guidance_embedder.linear_1.weight"):
      "a FLUX.1-dev transformer"
    case .t5 where has("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight"): "a UMT5"
    case .t5 where has("encoder.block.0.layer.1.DenseReluDense.wi.weight"): "a T5 of version 1.0"
    default: nil
    }
  }

  /// What to do about names with a prefix that no rule lists.
  package static var prefixRemedy: String {
    "Known ones: " + prefixRules.map(\.prefix).filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// What other weights are, by a part of a tensor's name that they have.
  private static let others: [(part: String, what: String)] = [
    (".lora_A.", "a LoRA"), (".lora_B.", "a LoRA"), (".lora_down.", "a LoRA"), (".lora_up.", "a LoRA"),
    ("_lora.down.", "a LoRA"), ("_lora.up.", "a LoRA"),
    ("lora_unet_", "a LoRA"), ("lora_te", "a LoRA"), (".hada_w1_a", "a LoRA (LoHa)"),
    (".lokr_w1", "a LoRA (LoKr)"),
    ("vision_model.encoder.layers.0.", "a CLIP image encoder"),
    ("decoder.block.0.layer.0.SelfAttention.q.weight", "a T5 decoder without its encoder"),
    ("dec.blk.0.attn_q.weight", "a T5 decoder without its encoder"),
    ("decoder.blk.0.attn_q.weight", "a T5 decoder without its encoder"),
    ("decoder.conv_in.weight", "the VAE of an image model"),
    ("individual_token_refiner.", "a HunyuanVideo transformer"),
    ("double_blocks.0.", "a FLUX transformer in the layout of its first release"),
    ("blocks.0.self_attn.q.weight", "a Wan transformer"),
    ("blocks.0.attn.qkv_x.weight", "a Mochi transformer"),
    ("patchify_proj.weight", "an LTX-Video transformer"),
    ("patch_embed.text_proj.weight", "a CogVideoX transformer"),
    ("joint_blocks.0.", "an SD3 transformer in the layout of its first release"),
    ("single_transformer_blocks.0.", "a part of a FLUX or miniFLUX transformer"),
    ("input_blocks.0.", "a UNet of Stable Diffusion"), ("down_blocks.0.", "a UNet of Stable Diffusion"),
    ("blk.0.attn_q.weight", "a language model in GGUF"),
    ("model_ema.x_embedderweight", "a moving average whose names have lost their dots"),
    ("model_ema.pos_embedprojweight", "a moving average whose names have lost their dots"),
  ]

  /// Returns what weights of no component of Pyramid Flow are, or nil when nothing is known of them.
  package static func foreign(in names: Set<String>) -> String? {
    func has(_ part: String) -> Bool { names.contains { $0.containsBytes(of: part) } }
    if let other = others.first(where: { has($0.part) }) { return other.what }
    switch (has("encoder.conv_in.conv.weight"), has("decoder.conv_in.conv.weight")) {
    case (true, true): return "the VAE of another video model"
    case (true, false): return "the encoder of a VAE without its decoder"
    case (false, true): return "the decoder of a VAE without its encoder"
    case (false, false): return nil
    }
  }

  /// Returns what to do about such weights; nil where nothing helps.
  package static func remedy(forForeign what: String) -> String? {
    if what.hasPrefix("a LoRA") {
      return "A LoRA holds changes to weights, and none itself: merge it into the transformer first."
    }
    if what == "a UMT5" || what == "a T5 of version 1.0" {
      return "Pyramid Flow reads the encoder of T5 1.1 XXL: take that one."
    }
    if what.hasPrefix("a part of") { return "Take the file that holds the whole." }
    if what.hasSuffix(" of another video model") || what.hasSuffix(" transformer") {
      return "Pyramid Flow has weights of its own: take those of its releases."
    }
    if what.hasPrefix("a moving") { return "Save the average under the names of the weights." }
    return what.contains(" without its ") ? "Take the file that holds the whole." : nil
  }

  /// Returns what weights are of which no component was recognised, and what to do about it; nil when nothing is known.
  package static func answer(on names: Set<String>) -> (what: String, remedy: String?)? {
    let foreign = foreign(in: names)
    // A LoRA may hold whole tensors beside its changes.
    if foreign?.hasPrefix("a LoRA") != true, let prefix = unknownPrefix(in: names) {
      return ("something whose names start with the unknown prefix \"\(prefix.prefix(100))\"", prefixRemedy)
    }
    return foreign.map { ($0, remedy(forForeign: $0)) }
  }

  /// Returns a prefix of a component's tensor names that no rule lists, for messages, or nil when there is none.
  package static func unknownPrefix(in names: Set<String>) -> String? {
    for signature in signatures {
      let found = names.filter { $0.hasSuffix("." + signature.tensor) }.min()
      if let found { return String(found.dropLast(signature.tensor.count)) }
    }
    return nil
  }
}
