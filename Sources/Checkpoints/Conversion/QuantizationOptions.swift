import Tensors

/// The options that determine the stored type of each tensor of a converted model.
public struct QuantizationOptions {
  /// The type of all tensors, or nil to keep each as stored.
  public let type: WeightType?
  /// The reason for ``type`` as stated in the manifest.
  public let typeReason: String
  /// Rules by name, used where no override matches; for int8, the built-in recipe by default.
  public let recipe: Recipe?
  /// Exceptions by name; the first whose expression is found in `component/tensor` wins.
  public let overrides: [Recipe.Rule]
  /// The recipe where it is not the built-in one.
  let ownRecipe: Recipe?

  /// The minimum number of values of a quantized tensor; smaller ones are not worth a scale.
  static let minimumQuantized = 4096

  /// Creates options; int8 without a recipe gets the built-in one.
  public init(
    type: WeightType?, typeReason: String? = nil, recipe: Recipe? = nil, overrides: [Recipe.Rule] = []
  ) throws {
    self.type = type
    self.typeReason = typeReason ?? "asked for: \(type?.rawValue ?? "as stored")"
    ownRecipe = recipe
    self.recipe = try recipe ?? (type == .int8 ? .int8() : nil)
    self.overrides = overrides
  }

  /// The decision for a tensor.
  struct Choice: Sendable {
    let type: WeightType
    var activations = InputPrecision.float32
    let reason: String
    /// The pattern of the rule that decided; nil when none did.
    var pattern: String?
  }

  func choose(
    component: String, tensor: WeightDeclaration, stored: WeightType, activations: InputPrecision
  ) throws -> Choice {
    let name = component + "/" + tensor.name
    if let rule = try overrides.first(where: { try $0.matches(name) }) {
      return possible(
        Choice(type: rule.type ?? stored, activations: rule.activations, reason: rule.reason), for: tensor,
        stored: stored, isAsked: true)
    }
    guard let recipe else {
      guard let type else {
        return Choice(type: stored, activations: activations, reason: "kept as stored")
      }
      return Choice(type: type, reason: type == stored ? "stored so" : typeReason)
    }
    guard let rule = try recipe.rules.first(where: { try $0.matches(name) }) else {
      return Choice(type: stored, reason: "kept as stored: no rule of the recipe \(recipe.name)")
    }
    var choice = possible(
      Choice(type: rule.type ?? stored, activations: rule.activations, reason: rule.reason), for: tensor,
      stored: stored, isAsked: false)
    choice.pattern = rule.pattern
    return choice
  }

  /// Adjusts a choice that the tensor does not allow or that would gain nothing.
  private func possible(
    _ choice: Choice, for tensor: WeightDeclaration, stored: WeightType, isAsked: Bool
  ) -> Choice {
    var choice = choice
    // Only products round inputs: to integers in 8-bit linear layers, to bf16 in linear layers and wider convolutions.
    let isPossible =
      switch choice.activations {
      case .float32: true
      case .bf16: tensor.use == .matrix || tensor.use == .convolution && choice.type != .int8
      case .int8, .int16: tensor.use == .matrix && choice.type == .int8
      }
    if !isPossible { choice.activations = .float32 }
    func kept(_ type: WeightType, _ reason: String) -> Choice {
      let activations = choice.activations.isInteger ? .float32 : choice.activations
      return Choice(type: type, activations: activations, reason: reason)
    }
    // A more precise type than the stored one makes the file larger and nothing better.
    if !isAsked, choice.type.precision > stored.precision { return kept(stored, "stored so") }
    guard choice.type == .int8 else { return choice }
    switch tensor.use {
    case .vector: return kept(stored, "kept as stored: norms and biases are not quantized")
    case .table where !isAsked || tensor.shape.count != 2:
      // A table is looked up row by row, so bf16 costs next to nothing.
      return stored == .f32 ? kept(.bf16, "embeddings in bf16") : kept(stored, "embeddings stay as stored")
    case .matrix, .convolution, .table: break
    }
    if !isAsked, tensor.shape.reduce(1, *) < Self.minimumQuantized {
      return kept(stored, "kept as stored: too small to gain anything")
    }
    return choice
  }
}
