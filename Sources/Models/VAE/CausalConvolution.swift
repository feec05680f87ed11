import Kernels
import Tensors

/// A 3-D convolution that looks back in time only (`video_vae/modeling_causal_conv.py`, `CausalConv3d`).
///
/// Frames are [time, height, width, channels]. The first frames are preceded by two frames of zeros, later ones by the
/// last two frames before them.
struct CausalConvolution {
  private let convolution: Convolution3D
  private let timeStride: Int
  /// The convolution's full name, under which the cache keeps its frames.
  private let name: String

  init(
    _ name: String, _ inputs: Int, _ outputs: Int, kernel: Int = 3, stride: [Int] = [1, 1, 1],
    _ scope: WeightScope
  ) throws {
    let scope = scope.scope(name + ".conv")
    convolution = Convolution3D(
      weight: try scope.weight("weight", [outputs, inputs, kernel, kernel, kernel], use: .convolution),
      bias: try scope.weight("bias", [outputs]), stride: stride)
    timeStride = stride[0]
    self.name = scope.fullName("")
  }

  /// Applies the convolution to frames [time, height, width, channels].
  ///
  /// - Parameter residual: when given, the result is added to it in place.
  func callAsFunction(
    _ x: Tensor, cache: TemporalCache, addingTo residual: Tensor? = nil, in context: KernelContext
  ) throws -> Tensor {
    try Task.checkCancellation()
    guard convolution.kernel[0] == 3 else {
      return try convolution(x, timePadding: 0, addingTo: residual, in: context)
    }
    let memory = cache[name]
    // Frames that have not been seen yet are zero.
    let zeros = timeStride == 1 ? 2 - memory.count : memory.count == 0 ? 2 : 0
    return try convolution(x, after: memory, timePadding: zeros, addingTo: residual, in: context)
  }

  /// Returns whether no frames have been seen so far.
  func hasSeenNothing(_ cache: TemporalCache) -> Bool { cache[name].count == 0 }

  /// Divides frames into those that are best computed together: the first of a clip, then two by two.
  func pairs(_ frames: Int, _ cache: TemporalCache) -> [Range<Int>] {
    FramePair.ranges(count: frames, earlier: cache[name].earlierCount)
  }
}
