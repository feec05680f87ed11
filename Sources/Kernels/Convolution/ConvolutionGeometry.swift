import CDNNL
import Files
import Tensors

/// The shapes of a 3-D convolution over channels-last frames; equal geometries share a primitive.
struct ConvolutionGeometry: Hashable {
  let inputChannels: Int, outputChannels: Int
  /// Extents in the order time, height, width.
  let input: [Int], output: [Int], kernel: [Int], stride: [Int]
  /// Zero padding before and after, per axis.
  let before: [Int], after: [Int]

  /// The extents of a frame with its zero padding.
  var paddedHeight: Int { input[1] + before[1] + after[1] }
  var paddedWidth: Int { input[2] + before[2] + after[2] }
}
