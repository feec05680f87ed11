import Kernels
import Tensors

/// Stands in for a weights file and writes down what is asked for.
package final class WeightRecorder: WeightSource {
  /// What was asked for, in order.
  package private(set) var declarations: [WeightDeclaration] = []

  /// Nothing recorded yet.
  package init() {}

  /// Records the request and answers with a weight without values.
  package func weight(_ declaration: WeightDeclaration) -> Weight {
    declarations.append(declaration)
    return Weight(declared: declaration)
  }
}
