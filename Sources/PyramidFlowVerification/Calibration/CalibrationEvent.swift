import Checkpoints
import Files
import Kernels
import Parity
import PyramidFlow

/// Something that happened while a conversion was calibrated.
public enum CalibrationEvent: Sendable {
  /// The products of a component are measured for what exceeds the range of f16.
  case measuringRanges(component: String)
  /// So many of the groups' choices were measured.
  case measured(Int, of: Int)
  /// What was chosen, in a sentence.
  case chose(String)
}
