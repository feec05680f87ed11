import Tensors

/// Which type a tensor gets, asked for by the user.
public struct TypeRequest {
  /// The type of all tensors, or nil to keep each as it is stored.
  public let type: WeightType?
  /// Rules by name, used where no override matches; int8 has a recipe of its own when none is given.
  public let recipe: Recipe?
  /// Exceptions by name; the first whose expression is found in `component/tensor` wins.
  public let overrides: [Recipe.Rule]

  /// Tensors with fewer values are not worth a scale.
  static let smallestQuantized = 4096

  /// Creates a request.
  public init(type: WeightType?, recipe: Recipe? = nil, overrides: [Recipe.Rule] = []) throws {
    self.type = type
    self.recipe = try recipe ?? (type == .int8 ? .int8() : nil)
    self.overrides = overrides
  }

  /// What was decided for a tensor.
  struct Choice: Sendable {
    let type: WeightType
    var activations = ActivationPrecision.wide
    let reason: String
  }

  func choose(component: String, tensor: WeightDeclaration, stored: WeightType) -> Choice {
    let name = component + "/" + tensor.name
    if let rule = overrides.first(where: { name.contains($0.expression) }), let type = rule.type {
      return possible(
        Choice(type: type, activations: rule.activations, reason: rule.reason), for: tensor, stored: stored,
        isAsked: true)
    }
    guard let recipe else {
      guard let type else { return Choice(type: stored, reason: "kept as stored") }
      return Choice(type: type, reason: type == stored ? "stored so" : "--type \(type.rawValue)")
    }
    guard let rule = recipe.rules.first(where: { name.contains($0.expression) }) else {
      return Choice(type: stored, reason: "kept as stored: no rule of the recipe \(recipe.name)")
    }
    guard let type = rule.type else { return Choice(type: stored, reason: rule.reason) }
    return possible(
      Choice(type: type, activations: rule.activations, reason: rule.reason), for: tensor, stored: stored,
      isAsked: false)
  }

  /// What becomes of a choice for a tensor that cannot be, or is not worth being, quantized.
  private func possible(
    _ choice: Choice, for tensor: WeightDeclaration, stored: WeightType, isAsked: Bool
  ) -> Choice {
    // Widening what is stored makes a file larger and nothing better.
    if !isAsked, choice.type.precision > stored.precision {
      return Choice(type: stored, reason: "stored so")
    }
    guard choice.type == .int8 else { return choice }
    switch tensor.use {
    case .vector: return Choice(type: stored, reason: "kept as stored: norms and biases are not quantized")
    case .table where !isAsked || tensor.shape.count != 2:
      // A table is looked up row by row: bf16 costs nothing to speak of.
      let isWide = stored == .f32
      return Choice(
        type: isWide ? .bf16 : stored, reason: isWide ? "embeddings in bf16" : "embeddings stay as stored")
    case .matrix, .convolution, .table: break
    }
    if !isAsked, tensor.shape.reduce(1, *) < Self.smallestQuantized {
      return Choice(type: stored, reason: "kept as stored: too small to gain anything")
    }
    return choice
  }
}
