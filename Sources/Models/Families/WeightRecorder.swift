import Kernels
import Tensors

/// Stands in for a weights file and writes down what is asked for.
public final class WeightRecorder: WeightSource {
  /// What was asked for, in order.
  public private(set) var declarations: [WeightDeclaration] = []

  /// Nothing recorded yet.
  public init() {}

  /// Records the request and answers with a weight without values.
  public func weight(_ declaration: WeightDeclaration) -> Weight {
    declarations.append(declaration)
    return Weight(declared: declaration)
  }
}
