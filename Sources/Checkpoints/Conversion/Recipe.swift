import Files
import JSON
import Tensors

/// A general plan that assigns types to tensors by name; the first rule that matches decides.
///
/// Its schema is `schemas/benben-recipe.schema.json`.
public struct Recipe {
  /// A type for the tensors whose names match a pattern.
  public struct Rule {
    /// A regular expression, searched for in `component/tensor`.
    public let pattern: String
    let expression: Regex<AnyRegexOutput>
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
      guard !Self.repeatsRepetitions(pattern) else {
        throw BenbenError(
          .malformed, "malformed recipe", at: quoted(pattern),
          because: "it repeats a group that repeats something, which may take for ever")
      }
      do {
        expression = try Regex(pattern)
      } catch {
        throw BenbenError(
          .malformed, "malformed recipe", at: quoted(pattern), because: "it is no regular expression")
      }
      self.type = type
      self.activations = activations
      self.reason = reason
    }

    /// Whether a group that is repeated without end consists of nothing but repetitions, as in `(a*)*`.
    ///
    /// The time of a search then doubles with every character. Other patterns that take long are not found.
    private static func repeatsRepetitions(_ pattern: String) -> Bool {
      /// Of each open group, whether it holds something that is repeated, and something that is there once.
      var open = [(repeated: false, once: false)]
      let scalars = Array(pattern.unicodeScalars)
      var index = 0
      while index < scalars.count {
        var isBare = false
        switch scalars[index] {
        case "(":
          open.append((false, false))
          index += scalars[index...].dropFirst().starts(with: "?:".unicodeScalars) ? 3 : 1
          continue
        case ")" where open.count > 1:
          let group = open.removeLast()
          isBare = group.repeated && !group.once
        case "[":
          while index + 1 < scalars.count, scalars[index] != "]" { index += scalars[index] == "\\" ? 2 : 1 }
        case "\\": index += 1
        case "|":
          index += 1
          continue
        default: break
        }
        index += 1
        let quantifier = index < scalars.count ? scalars[index] : " "
        guard "*+?{".unicodeScalars.contains(quantifier) else {
          if isBare { open[open.count - 1].repeated = true } else { open[open.count - 1].once = true }
          continue
        }
        let end = quantifier == "{" ? scalars[index...].firstIndex(of: "}") ?? index : index
        let isEndless = "*+".unicodeScalars.contains(quantifier) || end > index && scalars[end - 1] == ","
        if isBare, isEndless { return true }
        open[open.count - 1].repeated = true
        index = end + 1
      }
      return false
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

  /// Returns the recipe that `--type int8` selects for the released models.
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
