/// The name and shape of a tensor that a model asks for, with the other names under which files carry the same one.
public struct WeightDeclaration: Equatable, Sendable {
  /// What a weight is used for; decides whether it may be quantized.
  public enum Use: Sendable {
    /// The matrix of a linear layer, [outputs, inputs, …].
    case matrix
    /// The weights of a convolution, [outputs, inputs, time, height, width].
    case convolution
    /// Rows that are looked up.
    case table
    /// A bias or the weight of a norm.
    case vector
  }

  /// The official name inside its component.
  public let name: String
  /// The shape that the model's config demands.
  public let shape: Shape
  /// What it is used for.
  public let use: Use
  /// Names that stand for the same tensor in some files (tied weights).
  public let aliases: [String]

  /// Declares a weight.
  public init(name: String, shape: Shape, use: Use = .vector, aliases: [String] = []) {
    self.name = name
    self.shape = shape
    self.use = use
    self.aliases = aliases
  }
}
