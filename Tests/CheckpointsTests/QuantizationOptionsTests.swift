import Files
import Tensors
import Testing

@testable import Checkpoints

struct QuantizationOptionsTests {
  private let matrix = WeightDeclaration(name: "blocks.0.weight", shape: [128, 128], use: .matrix)
  private let bias = WeightDeclaration(name: "blocks.0.bias", shape: [128])

  private func choice(
    _ options: QuantizationOptions, _ tensor: WeightDeclaration, stored: WeightType = .bf16
  ) throws -> QuantizationOptions.Choice {
    try options.choose(
      component: "diffusion_transformer_384p", tensor: tensor, stored: stored, activations: .float32)
  }

  @Test func keepsWhatIsStoredByDefault() throws {
    let kept = try choice(QuantizationOptions(type: nil), matrix)
    #expect(kept.type == .bf16 && kept.reason == "kept as stored")
  }

  @Test func int8IsForMatrices() throws {
    let options = try QuantizationOptions(type: .int8)
    #expect(try choice(options, matrix).type == .int8 && choice(options, matrix).activations == .int8)
    #expect(try choice(options, bias).type == .bf16)
    let small = WeightDeclaration(name: "blocks.0.small", shape: [8, 8], use: .matrix)
    #expect(try choice(options, small).type == .bf16)
  }

  /// Patterns whose search would double its time with every character are given up, whatever their form.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "(a*)*[bc]", "(?:[a-z]*)+[!#]", "(.|\\w)*[!#]", ".*.*.*.*.*.*[!#]", "(a|aa)+$", "(a+)+\\1[!#]",
    ])
  func aSearchThatTakesTooLongIsRefused(pattern: String) throws {
    let rule = try Recipe.Rule(pattern, type: .f32, reason: "")
    let error = #expect(throws: BenbenError.self) {
      try rule.matches(String(repeating: "a", count: 120) + "?")
    }
    #expect(error?.kind == .malformed && error?.what == "pattern that takes too long")
  }

  @Test(arguments: [
    ("(ab)*c+", "abc", true), ("[(a*)]*", "", true), ("(\\d+\\.){0,1}x", "1.x", true),
    ("(?:\\.\\d+)+$", "a.1.2", true), ("^norm\\d*?\\.", "norm1.x", true), ("^norm\\.", "a.norm.", false),
    ("(?<block>blocks)\\.(?!0)", "blocks.0", false), ("(?<block>blocks)\\.(?!0)", "blocks.10", true),
    ("\u{e9}", "caf\u{e9}", true), ("\u{e9}", "cafe\u{301}", false), ("^.$", "\u{e9}", true),
  ])
  func aPatternIsSearchedForByItsCharacters(pattern: String, name: String, isFound: Bool) throws {
    #expect(try Recipe.Rule(pattern, type: .f32, reason: "").matches(name) == isFound)
  }

  @Test(arguments: ["(", "[a", "a{2,1}", "*", "(?<n>a", "\\", "((a{1000}){1000}){1000}", "\\C"])
  func whatIsNoExpressionIsRefused(pattern: String) {
    #expect(throws: BenbenError.self) { try Recipe.Rule(pattern, type: .f32, reason: "") }
  }

  /// The first override wins, also one that keeps what is stored.
  @Test func theFirstOverrideWins() throws {
    let keep = try Recipe.Rule("weight$", type: nil, reason: "kept")
    let narrow = try Recipe.Rule("blocks", type: .f16, reason: "narrowed")
    let options = try QuantizationOptions(type: .int8, overrides: [keep, narrow])
    #expect(try choice(options, matrix).type == .bf16 && choice(options, matrix).reason == "kept")
    #expect(try choice(options, bias, stored: .f32).type == .f16)
  }

  @Test func theReasonIsTheCallers() throws {
    let options = try QuantizationOptions(type: .f32, typeReason: "because")
    #expect(try choice(options, matrix).reason == "because")
    #expect(try choice(options, matrix, stored: .f32).reason == "stored so")
  }
}
