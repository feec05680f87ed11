import JSON
import Tensors

extension Int {
  /// Returns the sum, or the largest integer when it would overflow; for messages only.
  func addingClamped(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
