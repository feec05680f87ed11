import Checkpoints
import Parity

extension Thresholds {
  /// Returns the default thresholds for a model, by its coarsest lossy weights or its products in bf16.
  static func defaults(for model: NativeModel) -> Thresholds {
    defaults(coarsestLossyType: model.coarsestLossyType, computesInBFloat16: model.computesInBFloat16)
  }
}
