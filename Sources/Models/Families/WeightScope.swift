import Kernels
import Tensors

/// A position in a model's tree of modules, from which weights are requested by the rest of their official name.
///
/// A model's initializer requests its weights, so the same code loads the model and, with a ``WeightRecorder``, lists
/// the weights that it needs; there is no second list to keep in step.
package struct WeightScope {
  private let source: any WeightSource
  private let prefix: String

  /// Creates the root scope of a component.
  package init(_ source: any WeightSource) {
    self.init(source: source, prefix: "")
  }

  private init(source: any WeightSource, prefix: String) {
    self.source = source
    self.prefix = prefix
  }

  /// Returns the scope of a sub-module.
  func scope(_ name: String) -> WeightScope { WeightScope(source: source, prefix: prefix + name + ".") }

  /// Asks for the scope's weights to be brought into memory in the background.
  func readAhead() { source.readAhead(prefix) }

  /// Returns the full name of a weight or module in this scope; an empty name yields the scope's own, with its trailing
  /// dot.
  func fullName(_ name: String) -> String { prefix + name }

  /// Returns a weight of this scope.
  ///
  /// - Parameters:
  ///   - use: the weight's use.
  ///   - aliases: full names under which some files store the same tensor.
  func weight(
    _ name: String, _ shape: Shape, use: WeightDeclaration.Use = .vector, aliases: [String] = []
  ) throws -> Weight {
    try source.weight(WeightDeclaration(name: prefix + name, shape: shape, use: use, aliases: aliases))
  }

  /// Returns the layer of a `torch.nn.Linear`: `name.weight` [outputs, inputs] and `name.bias` [outputs].
  ///
  /// - Parameter storedShape: the weight's shape in files, where a convolution is computed as a matrix product.
  func linear(
    _ name: String, _ inputs: Int, _ outputs: Int, bias: Bool = true, storedShape: Shape? = nil
  ) throws -> Linear {
    let scope = scope(name)
    return Linear(
      weight: try scope.weight("weight", storedShape ?? [outputs, inputs], use: .matrix),
      bias: bias ? try scope.weight("bias", [outputs]) : nil)
  }

  /// Returns the weight and bias of a normalisation, both [width].
  func norm(_ name: String, _ width: Int) throws -> NormWeights {
    let scope = scope(name)
    return NormWeights(weight: try scope.weight("weight", [width]), bias: try scope.weight("bias", [width]))
  }
}
