import Kernels
import Tensors

/// What the convolutions remember of the frames before the current chunk: the working state of one decoding.
final class TemporalCache {
  private var frames: [String: Tensor] = [:]
  /// Whether the chunk under way is the first one.
  var isFirstChunk = true

  subscript(convolution: String) -> Tensor? {
    get { frames[convolution] }
    set { frames[convolution] = newValue }
  }
}

/// A 3-D convolution that looks back in time only (`video_vae/modeling_causal_conv.py`, `CausalConv3d`).
///
/// Frames are [time, height, width, channels]. The first chunk sees two frames of zeros in front; later chunks see the
/// last two frames of the chunk before.
struct CausalConvolution {
  private let convolution: Convolution3D
  private let timeStride: Int
  /// Its own full name, under which the cache keeps its frames.
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

  /// - Parameter residual: when given, the result is added to it in place.
  func callAsFunction(
    _ x: Tensor, cache: TemporalCache, addingTo residual: Tensor? = nil, in context: KernelContext
  ) throws -> Tensor {
    guard convolution.kernel[0] == 3 else {
      return try convolution(x, timePadding: 0, addingTo: residual, in: context)
    }
    let previous = cache.isFirstChunk ? nil : cache[name]
    // With a stride of two in time, one remembered frame keeps the windows in step.
    let remembered = previous.map { timeStride == 1 ? $0 : $0.rows(1..<2) }
    let input = remembered.map { Tensor.concatenated([$0, x]) } ?? x
    cache[name] = Self.lastTwo(of: input)
    return try convolution(input, timePadding: previous == nil ? 2 : 0, addingTo: residual, in: context)
  }

  /// The last two frames, the missing one being zero as it is in the padded input.
  private static func lastTwo(of x: Tensor) -> Tensor {
    let frames = x.shape[0]
    if frames >= 2 { return x.rows(frames - 2..<frames).copy() }
    return .concatenated([.zeros(x.shape), x])
  }
}
