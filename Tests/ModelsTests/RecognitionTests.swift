import Files
import Foundation
import JSON
import Tensors
import Testing

@testable import Models

/// Weights are told by their tensors' names, and configs by their shapes.
struct RecognitionTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures").path

  private static func table(_ name: String) throws -> (config: JSONValue, shapes: [String: Shape]) {
    let path = "\(fixtures)/official/\(name).json"
    let json = try JSONValue(parsing: Array(try #require(FileManager.default.contents(atPath: path))))
    let shapes = try #require(json["tensors"]?.object).mapValues { try #require($0.integers) }
    return (try #require(json["config"]), shapes)
  }

  private static let official:
    [(table: String, role: ModelFamily.Role, family: ModelFamily, component: String)] =
      [
        ("miniflux_diffusion_transformer", .transformer, .miniFLUX, "diffusion_transformer_384p"),
        ("sd3_diffusion_transformer", .transformer, .sd3, "diffusion_transformer_384p"),
        ("clip_l_text_encoder", .clip, .miniFLUX, "text_encoder"),
        ("clip_l_text_encoder_with_projection", .clip, .sd3, "text_encoder"),
        ("clip_g_text_encoder_with_projection", .clip, .sd3, "text_encoder_2"),
        ("t5_xxl_text_encoder", .t5, .miniFLUX, "text_encoder_2"),
        ("causal_video_vae", .vae, .sd3, "causal_video_vae"),
      ]

  @Test(arguments: official.map(\.table))
  func tellsOfficialComponents(table: String) throws {
    let item = try #require(Self.official.first { $0.table == table })
    let (config, shapes) = try Self.table(table)
    for prefix in ["", "model.diffusion_model.", "text_encoders.t5xxl.transformer."] {
      let all = RecognizedWeights.all(in: Set(shapes.keys.map { prefix + $0 }))
      #expect(all.count == 1 && all[0].role == item.role && all[0].prefix == prefix)
      #expect(all[0].family == (item.role == .transformer ? item.family.name : nil))
    }
    #expect(RecognizedWeights.all(in: Set(shapes.keys.map { "odd." + $0 })).isEmpty)
    #expect(RecognizedWeights.unknownPrefix(in: Set(shapes.keys.map { "odd." + $0 })) == "odd.")

    // What is deduced, and what is taken as official, is what the official config says.
    let deduced = try DeducedConfig(
      role: item.role, family: item.family, component: item.component, shapes: shapes)
    for (key, value) in try #require(deduced.json.object) where config[key] != nil {
      #expect(value == config[key], "\(key)")
    }
    let declared = try item.family.declarations(of: item.component, config: deduced.json)
    let expected = try item.family.declarations(of: item.component, config: config)
    #expect(declared == expected)
  }

  /// Weights of other models are named, and a prefix that no rule lists is not taken for another model.
  @Test(arguments: [
    (
      ["encoder.conv_in.conv.weight", "decoder.conv_in.conv.weight", "post_quant_conv.weight"],
      "the VAE of another video model"
    ),
    (["decoder.conv_in.conv.weight"], "the decoder of a VAE without its encoder"),
    (
      ["double_blocks.0.img_attn_qkv.weight", "txt_in.individual_token_refiner.blocks.0.norm1.weight"],
      "a HunyuanVideo transformer"
    ),
    (["base_model.model.x_embedder.weight", "base_model.model.x.lora_A.weight"], "a LoRA"),
    (["blocks.0.self_attn.q.weight"], "a Wan transformer"),
    (["patchify_proj.weight"], "an LTX-Video transformer"),
    (
      ["odd.decoder.conv_in.conv.weight", "odd.post_quant_conv.conv.weight"],
      "something whose names start with the unknown prefix \"odd.\""
    ),
    (
      ["odd.single_transformer_blocks.0.x", "odd.x_embedder.weight"],
      "something whose names start with the unknown prefix \"odd.\""
    ),
  ])
  func namesWhatItDoesNotConvert(names: [String], what: String) throws {
    #expect(RecognizedWeights.all(in: Set(names)).isEmpty)
    let answer = try #require(RecognizedWeights.answer(on: Set(names)))
    #expect(answer.what == what && answer.remedy != nil)
  }

  @Test func namesTheTensorThatADeductionLacks() throws {
    var shapes = try Self.table("miniflux_diffusion_transformer").shapes
    shapes["context_embedder.weight"] = nil
    let error = try #require(throws: BenbenError.self) {
      try DeducedConfig(
        role: .transformer, family: .miniFLUX, component: "diffusion_transformer_384p", shapes: shapes)
    }
    #expect(error.description.contains("context_embedder.weight"))
  }

  @Test func tellsTokenizerFilesByContent() throws {
    for (folder, files) in [
      ("tokenizers/clip", CLIPTokenizer.files), ("tokenizers/t5_small", T5Tokenizer.files),
      ("sd3/checkpoint/tokenizer_2", CLIPTokenizer.files), ("sd3/checkpoint/tokenizer_3", T5Tokenizer.files),
    ] {
      for file in files {
        let path = "\(Self.fixtures)/\(folder)/\(file.rawValue)"
        let content = Array(try #require(FileManager.default.contents(atPath: path)))
        #expect(files.filter { $0.matches(content) } == [file], "\(path)")
      }
    }
  }

  /// Names of strangers are compared in bytes: these 45 MB took half a minute by characters.
  @Test func manyLongNamesAreLookedAtInTime() {
    let names = Set((0..<45_000).map { "model." + String(repeating: "a", count: 950) + "\($0)" })
    let elapsed = ContinuousClock().measure {
      #expect(RecognizedWeights.all(in: names).isEmpty)
      #expect(RecognizedWeights.foreign(in: names) == nil)
    }
    #expect(elapsed < .seconds(8), "\(elapsed)")
    #expect(RecognizedWeights.foreign(in: names.union(["a.lora_A.weight"])) == "a LoRA")
  }
}
