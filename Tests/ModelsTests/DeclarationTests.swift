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
    ("miniflux_diffusion_transformer", "diffusion_transformer_384p", 1_972_059_200),
    ("clip_l_text_encoder", "text_encoder", 123_060_480),
    ("t5_xxl_text_encoder", "text_encoder_2", 4_762_310_656),
    ("causal_video_vae", "causal_video_vae", 0),
  ])
  func matchesOfficialTable(table: String, component: String, parameters: Int) throws {
    let official = try Self.json("official/\(table).json")
    let config = try #require(official["config"])
    let expected = try #require(official["tensors"]?.object).mapValues { try #require($0.integers) }
    let declared = try ModelFamily.miniFLUX.declarations(of: component, config: config)
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
