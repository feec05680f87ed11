import Checkpoints
import Parity

extension Thresholds {
  /// What the verification of a model must reach: what its coarsest lossy weights, or products in bf16, cost.
  static func defaults(for model: NativeModel) -> Thresholds {
    defaults(coarsestLossyType: model.coarsestLossyType, computesInBFloat16: model.computesInBFloat16)
  }
}
