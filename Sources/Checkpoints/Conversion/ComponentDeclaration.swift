import Foundation
import JSON
import Tensors

/// The importer's view of a model component: the weights that its code declares, and the rules for source tensors that
/// are deliberately left out.
package struct ComponentDeclaration {
  /// A reason for leaving out source tensors.
  package struct IgnoreRule {
    /// A short name, listed with every tensor that the rule covers.
    package let name: String
    /// Returns whether the rule covers the source tensor of a given name.
    package let covers: (String) -> Bool

    /// Creates a rule.
    package init(name: String, covers: @escaping (String) -> Bool) {
      self.name = name
      self.covers = covers
    }
  }

  /// The weights in the model's own order.
  package let weights: [WeightDeclaration]
  /// The rules for the tensors that may be left out.
  package let ignoreRules: [IgnoreRule]

  /// Creates a declaration.
  package init(weights: [WeightDeclaration], ignoreRules: [IgnoreRule] = []) {
    self.weights = weights
    self.ignoreRules = ignoreRules
  }
}
