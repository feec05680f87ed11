import Checkpoints
import Parity

extension Thresholds {
  /// Returns the default thresholds for a model, by its coarsest lossy weights or its products in bf16.
  ///
  /// - Throws: `BenbenError` when a component cannot be opened.
  static func defaults(for model: NativeModel) throws -> Thresholds {
    defaults(
      coarsestLossyType: try model.coarsestLossyType(), computesInBFloat16: try model.computesInBFloat16())
  }
}
