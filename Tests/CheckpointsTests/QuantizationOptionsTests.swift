import Tensors
import Testing

@testable import Checkpoints

struct QuantizationOptionsTests {
  private let matrix = WeightDeclaration(name: "blocks.0.weight", shape: [128, 128], use: .matrix)
  private let bias = WeightDeclaration(name: "blocks.0.bias", shape: [128])

  private func choice(
    _ options: QuantizationOptions, _ tensor: WeightDeclaration, stored: WeightType = .bf16
  ) -> QuantizationOptions.Choice {
    options.choose(
      component: "diffusion_transformer_384p", tensor: tensor, stored: stored, activations: .float32)
  }

  @Test func keepsWhatIsStoredByDefault() throws {
    let kept = choice(try QuantizationOptions(type: nil), matrix)
    #expect(kept.type == .bf16 && kept.reason == "kept as stored")
  }

  @Test func int8IsForMatrices() throws {
    let options = try QuantizationOptions(type: .int8)
    #expect(choice(options, matrix).type == .int8 && choice(options, matrix).activations == .int8)
    #expect(choice(options, bias).type == .bf16)
    let small = WeightDeclaration(name: "blocks.0.small", shape: [8, 8], use: .matrix)
    #expect(choice(options, small).type == .bf16)
  }

  /// Such a search takes for ever on a long name.
  @Test(arguments: [
    ("(a*)*", false), ("((x*)?)+", false), ("(?:[a-z]*)+", false), ("(a*)?", true), ("(ab)*c+", true),
    ("[(a*)]*", true), ("(\\d+\\.){0,1}x", true), ("(\\.\\d+)+", true), ("(a{2}){3}", true),
    ("\\(a*\\)*", true), ("^diffusion_transformer_[^/]*/.*norm[^/.]*\\.linear\\.", true),
  ])
  func aRepeatedRepetitionIsRefused(pattern: String, isTaken: Bool) throws {
    #expect(((try? Recipe.Rule(pattern, type: .f32, reason: "")) != nil) == isTaken, "\(pattern)")
  }

  /// The first override wins, also one that keeps what is stored.
  @Test func theFirstOverrideWins() throws {
    let keep = try Recipe.Rule("weight$", type: nil, reason: "kept")
    let narrow = try Recipe.Rule("blocks", type: .f16, reason: "narrowed")
    let options = try QuantizationOptions(type: .int8, overrides: [keep, narrow])
    #expect(choice(options, matrix).type == .bf16 && choice(options, matrix).reason == "kept")
    #expect(choice(options, bias, stored: .f32).type == .f16)
  }

  @Test func theReasonIsTheCallers() throws {
    let options = try QuantizationOptions(type: .f32, typeReason: "because")
    #expect(choice(options, matrix).reason == "because")
    #expect(choice(options, matrix, stored: .f32).reason == "stored so")
  }
}
