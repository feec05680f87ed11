import Kernels
import Tensors

/// A stand-in for a weights file that records every weight a model requests.
package final class WeightRecorder: WeightSource {
  /// The requested weights, in order.
  package private(set) var declarations: [WeightDeclaration] = []

  /// Creates a recorder without declarations.
  package init() {}

  /// Records the request and returns a weight without values.
  package func weight(_ declaration: WeightDeclaration) -> Weight {
    declarations.append(declaration)
    return Weight(declared: declaration)
  }
}
