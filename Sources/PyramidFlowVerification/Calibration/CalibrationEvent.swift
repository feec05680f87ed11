import Checkpoints
import Files
import Kernels
import Parity
import PyramidFlow

/// An event of a calibration.
public enum CalibrationEvent: Sendable {
  /// The products of a component are being compared with the range of f16.
  case measuringRanges(component: String)
  /// A number of the groups' choices, out of all, has been measured.
  case measured(Int, of: Int)
  /// What was chosen, in a sentence: which of several transformers, or the plan.
  case chose(String)
}
