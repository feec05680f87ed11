import Files
import Foundation
import JSON
import Tensors
import Testing

@testable import Models

/// What our models ask for, with the official configs, is exactly what the official components hold.
struct DeclarationTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Fixtures").path

  private static func json(_ path: String) throws -> JSONValue {
    try JSONValue(parsing: Array(try #require(FileManager.default.contents(atPath: "\(fixtures)/\(path)"))))
  }

  @Test(arguments: [
    ("miniflux_diffusion_transformer", ModelFamily.miniFLUX, "diffusion_transformer_384p", 1_972_059_200),
    ("clip_l_text_encoder", .miniFLUX, "text_encoder", 123_060_480),
    ("t5_xxl_text_encoder", .miniFLUX, "text_encoder_2", 4_762_310_656),
    ("causal_video_vae", .miniFLUX, "causal_video_vae", 0),
    ("sd3_diffusion_transformer", .sd3, "diffusion_transformer_768p", 2_028_334_144 + 36864 * 1536),
    ("clip_l_text_encoder_with_projection", .sd3, "text_encoder", 123_650_304),
    ("clip_g_text_encoder_with_projection", .sd3, "text_encoder_2", 694_659_840),
    ("t5_xxl_text_encoder", .sd3, "text_encoder_3", 4_762_310_656),
    ("causal_video_vae", .sd3, "causal_video_vae", 0),
  ])
  func matchesOfficialTable(table: String, family: ModelFamily, component: String, parameters: Int) throws {
    let official = try Self.json("official/\(table).json")
    let config = try #require(official["config"])
    let expected = try #require(official["tensors"]?.object).mapValues { try #require($0.integers) }
    let declared = try family.declarations(of: component, config: config)
    // A tied tensor stands in the official table under each of its names.
    let pairs = declared.flatMap { weight in ([weight.name] + weight.aliases).map { ($0, weight.shape) } }
    #expect(Set(pairs.map(\.0)).count == pairs.count)
    #expect(Dictionary(pairs) { first, _ in first } == expected)
    if parameters > 0 {
      #expect(declared.reduce(0) { $0 + ($1.shape.checkedElementCount ?? 0) } == parameters)
    }
  }

  @Test(arguments: [
    ("num_layers", JSONValue.integer(-1)), ("num_layers", "8"), ("num_attention_heads", 0),
    ("num_attention_heads", 1025), ("attention_head_dim", 32), ("in_channels", 63), ("num_layers", 1.5),
    ("pooled_projection_dim", .integer(.max)), ("_class_name", "SomethingElse"),
  ])
  func refusesMalformedConfigs(key: String, value: JSONValue) throws {
    var config = try #require(try Self.json("official/miniflux_diffusion_transformer.json")["config"]?.object)
    config[key] = value
    #expect(throws: BenbenError.self) {
      try PyramidFluxConfig(json: .object(config), component: "diffusion_transformer_384p")
    }
  }

  @Test func namesUnknownComponents() {
    #expect(throws: BenbenError.self) {
      try ModelFamily.miniFLUX.declarations(of: "unet", config: .object([:]))
    }
  }
}
