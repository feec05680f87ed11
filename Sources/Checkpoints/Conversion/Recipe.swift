import Files
import JSON
import Tensors

/// A general plan that assigns types to tensors by name; the first rule that matches decides.
///
/// Its schema is `schemas/benben-recipe.schema.json`.
public struct Recipe {
  /// A type for the tensors whose names match a pattern.
  public struct Rule {
    /// A regular expression of PCRE2, searched for in `component/tensor`.
    public let pattern: String
    private let expression: NamePattern
    /// The type, or nil to keep the stored one.
    public let type: WeightType?
    /// The precision to which products with the tensors round their inputs.
    public let activations: InputPrecision
    /// The reason, for the report.
    public let reason: String

    /// Creates a rule.
    ///
    /// - Throws: ``BenbenError`` when the pattern is not a valid regular expression.
    public init(
      _ pattern: String, type: WeightType?, activations: InputPrecision = .float32, reason: String
    ) throws {
      self.pattern = pattern
      do {
        expression = try NamePattern(pattern)
      } catch let fault as NamePattern.Fault {
        throw BenbenError(
          .malformed, "malformed recipe", at: quoted(pattern),
          because: "it is no regular expression: \(fault.why)")
      }
      self.type = type
      self.activations = activations
      self.reason = reason
    }

    /// Returns whether the rule is for a tensor, by its name with its component's.
    ///
    /// - Throws: ``BenbenError`` when the search takes longer than any that a name needs.
    func matches(_ name: String) throws -> Bool {
      do {
        return try expression.isFound(in: name)
      } catch let fault as NamePattern.Fault {
        throw BenbenError(
          .malformed, "pattern that takes too long", at: quoted(pattern),
          because: "searched for in \(quoted(name)): \(fault.why)",
          remedies: ["Say what is repeated more closely, as in [^.]* for .*"])
      }
    }

    /// Creates a rule from a text `REGEX=TYPE`.
    ///
    /// - Throws: ``BenbenError`` when it is none.
    public init(assignment text: String, reason: String) throws {
      let separator = text.lastIndex(of: "=") ?? text.endIndex
      guard let type = WeightType(rawValue: String(text[separator...].dropFirst())) else {
        let names = WeightType.allCases.map(\.rawValue).joined(separator: ", ")
        throw BenbenError(
          .usage, "not a rule for types", at: quoted(text),
          because: "REGEX=TYPE is needed, TYPE being \(names)")
      }
      do {
        try self.init(String(text[..<separator]), type: type, reason: reason)
      } catch let error as BenbenError {
        throw BenbenError(.usage, "not a rule for types", at: quoted(text), because: error.why)
      }
    }
  }

  /// The name of the recipe in reports.
  public let name: String
  /// The rules, first match first.
  public let rules: [Rule]

  /// The schema that recipe files declare.
  static let schema = "benben.recipe/1"
  /// The maximum size of a recipe file, in bytes.
  static let maximumLength = 1_000_000
  /// The maximum number of rules in a recipe file; each is searched for in every tensor's name.
  static let maximumCount = 1000

  /// Creates a recipe from rules.
  public init(name: String, rules: [Rule]) {
    self.name = name
    self.rules = rules
  }

  /// Reads a recipe from a JSON file.
  public init(path: String) throws {
    let json = try parseJSON(InputFile(path: path), limit: Self.maximumLength)
    func fault(_ why: String) -> BenbenError { malformed("malformed recipe", path, why) }
    guard json["schema"]?.string == Self.schema, let rules = json["rules"]?.array else {
      throw fault("it needs the schema \(Self.schema) and a list of rules")
    }
    guard rules.count <= Self.maximumCount else {
      throw fault("it has \(rules.count) rules; \(Self.maximumCount) are possible")
    }
    name = FileSystem.lastComponent(path)
    self.rules = try rules.enumerated().map { index, rule in
      let known: Set = ["pattern", "type", "activations", "reason"]
      guard let members = rule.object, Set(members.keys).isSubset(of: known),
        let pattern = rule["pattern"]?.string
      else { throw fault("rule \(index) has no pattern, or a field that is not known") }
      let keep = rule["type"]?.string == "keep"
      let type = (rule["type"]?.string).flatMap(WeightType.init(rawValue:))
      let activations = (rule["activations"]?.string ?? "wide")
      guard keep || type != nil, let activations = InputPrecision(rawValue: activations) else {
        throw fault(
          "rule \(index): type is keep, f32, bf16, f16 or int8, activations wide, bf16, int8 or int16")
      }
      return try Rule(
        pattern, type: type, activations: activations,
        reason: rule["reason"]?.string ?? "rule \(index) of \(FileSystem.lastComponent(path))")
    }
  }

  /// Returns the built-in recipe for the released models, which int8 as the type of all weights selects.
  ///
  /// Measured on the fixtures (the manual, "Quantization"): the transformer's blocks lose least when their inputs are quantized too, except
  /// for the modulation, whose input is one row per sample.
  public static func int8() throws -> Recipe {
    Recipe(
      name: "int8",
      rules: [
        try Rule(
          "^diffusion_transformer_[^/]*/(x_embedder|context_embedder|pos_embed|time_text_embed|norm_out|proj_out)\\.",
          type: nil, reason: "embedders and the final layers stay wide"),
        try Rule(
          "^diffusion_transformer_[^/]*/.*norm[^/.]*\\.linear\\.", type: .int8, activations: .int16,
          reason: "modulation in int8; its input, one row a sample, in 16 bits"),
        try Rule(
          "^diffusion_transformer_", type: .int8, activations: .int8,
          reason: "int8, its input quantized by token"),
        try Rule(
          "^causal_video_vae/", type: .bf16, activations: .bf16,
          reason: "the VAE in bf16, what its convolutions read rounded to bf16"),
        try Rule(
          "^text_encoder", type: .int8, activations: .int16,
          reason: "text encoders in int8; their inputs, which have outliers, in 16 bits"
        ),
      ])
  }
}
