import Foundation
import JSON
import Tensors

/// A model component as the importer needs to know it: which weights its own code declares, and which source tensors
/// it knowingly leaves out.
public struct ComponentDeclaration {
  /// Why a source tensor is not consumed.
  public struct IgnoreRule {
    /// A short name, listed beside every tensor that it covers.
    public let name: String
    /// Whether a source tensor falls under the rule.
    public let covers: (String) -> Bool

    /// Creates a rule.
    public init(name: String, covers: @escaping (String) -> Bool) {
      self.name = name
      self.covers = covers
    }
  }

  /// The weights in the model's own order.
  public let weights: [WeightDeclaration]
  /// What may be left out.
  public let ignoreRules: [IgnoreRule]

  /// Creates a declaration.
  public init(weights: [WeightDeclaration], ignoreRules: [IgnoreRule] = []) {
    self.weights = weights
    self.ignoreRules = ignoreRules
  }
}
