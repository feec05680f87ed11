/// The name and shape of a tensor that a model requires, with the other names under which files may store it.
package struct WeightDeclaration: Equatable, Sendable {
  /// The use of a weight, which decides whether it may be quantized.
  package enum Use: Sendable {
    /// The matrix of a linear layer, [outputs, inputs, …].
    case matrix
    /// The weights of a convolution, [outputs, inputs, time, height, width].
    case convolution
    /// A table whose rows are looked up.
    case table
    /// A bias or the weight of a norm.
    case vector
  }

  /// The official name inside its component.
  package let name: String
  /// The shape that the model's config requires.
  package let shape: Shape
  /// The use of the weight.
  package let use: Use
  /// Other names of the same tensor in some files (tied weights).
  package let aliases: [String]

  /// Declares a weight.
  package init(name: String, shape: Shape, use: Use = .vector, aliases: [String] = []) {
    self.name = name
    self.shape = shape
    self.use = use
    self.aliases = aliases
  }
}
