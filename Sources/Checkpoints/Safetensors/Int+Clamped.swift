import JSON
import Tensors

extension Int {
  /// The sum, or the largest integer where it would overflow; for messages only.
  func addingClamped(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
