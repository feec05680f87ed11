import Kernels
import Tensors

/// A place in a model's tree of modules, from which weights are asked for by the rest of their official name.
///
/// A model is built by asking for its weights, so the same code both loads it and, over a ``WeightRecorder``, says
/// which weights it needs: there is no second list to keep in step.
package struct WeightScope {
  private let source: any WeightSource
  private let prefix: String

  /// The root of a component.
  package init(_ source: any WeightSource) {
    self.init(source: source, prefix: "")
  }

  private init(source: any WeightSource, prefix: String) {
    self.source = source
    self.prefix = prefix
  }

  /// The scope of a sub-module.
  func scope(_ name: String) -> WeightScope { WeightScope(source: source, prefix: prefix + name + ".") }

  /// The full name of something in this scope, without the trailing dot for the scope itself.
  func fullName(_ name: String) -> String { prefix + name }

  /// A weight of this scope.
  ///
  /// - Parameters:
  ///   - use: what it is used for.
  ///   - aliases: full names under which some files store the same tensor.
  func weight(
    _ name: String, _ shape: Shape, use: WeightDeclaration.Use = .vector, aliases: [String] = []
  ) throws -> Weight {
    try source.weight(WeightDeclaration(name: prefix + name, shape: shape, use: use, aliases: aliases))
  }

  /// `torch.nn.Linear`: `name.weight` [outputs, inputs] and `name.bias` [outputs].
  ///
  /// - Parameter storedShape: the weight's shape in files, where a convolution is used as a product.
  func linear(
    _ name: String, _ inputs: Int, _ outputs: Int, bias: Bool = true, storedShape: Shape? = nil
  ) throws -> Linear {
    let scope = scope(name)
    return Linear(
      weight: try scope.weight("weight", storedShape ?? [outputs, inputs], use: .matrix),
      bias: bias ? try scope.weight("bias", [outputs]) : nil)
  }

  /// A normalisation's weight and bias, both [width].
  func norm(_ name: String, _ width: Int) throws -> NormWeights {
    let scope = scope(name)
    return NormWeights(weight: try scope.weight("weight", [width]), bias: try scope.weight("bias", [width]))
  }
}
