import CKernelLoops
import Tensors

/// One of Winograd's minimal filterings F(n×n, 3×3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
/// 2016).
///
/// Overlapping tiles of (n + 2)² pixels and the kernels are transformed, multiplied position by position, and transformed
/// back to n² pixels. In time, F(2, 3) makes two frames of four in the same way.
enum WinogradTransform: Hashable {
  /// F(2×2×2, 3×3×3) with products in bf16: 3.4 times fewer multiplications than the definition. It serves wherever bf16
  /// does.
  case rounded
  /// F(2×4×4, 3×3×3) in f32: 6 times fewer multiplications. Its errors are those of f32 times its coefficients, far below
  /// those of bf16, so it serves where the plan allows bf16 and the processor has none.
  case wide

  /// The number of frames that are multiplied for two.
  static let times = 4

  /// The number of pixels that a tile yields per side.
  var size: Int { self == .rounded ? 2 : 4 }
  /// The number of pixels of a tile per side.
  var tile: Int { size + 2 }
  /// The number of products of matrices for each of the frames.
  var positions: Int { tile * tile }
  /// The type of the products' operands.
  var type: NumberType { self == .rounded ? .bf16 : .f32 }
  /// The size of an operand's element in bytes.
  var elementSize: Int { self == .rounded ? 2 : 4 }
  /// Whether products read kernels in a layout that oneDNN chooses; otherwise row by row.
  var prefersReorderedKernels: Bool { self == .rounded }
  /// The most tiles multiplied at a time: with fewer, kernels are read more often than they take to multiply; with more,
  /// what is written between the steps does not stay in the cache.
  var maximumTiles: Int { self == .rounded ? 256 : 128 }

  /// Transforms the pixels of one tile in the frame a + sign·b, each a row of channels in the type of the products, to rows
  /// that are `stride` elements apart.
  func transform(
    _ a: UnsafePointer<UnsafeRawPointer?>?, _ b: UnsafePointer<UnsafeRawPointer?>?, sign: Float,
    into output: UnsafeMutableRawPointer, stride: Int, channels: Int
  ) {
    switch self {
    case .rounded:
      let output = output.assumingMemoryBound(to: UInt16.self)
      bb_winograd_input(a, b, sign, output, stride, channels)
    case .wide:
      let output = output.assumingMemoryBound(to: Float.self)
      bb_winograd4_input(a, b, sign, output, stride, channels)
    }
  }

  /// Transforms `count` kernels [count, inputs, 3, 3, 3] for one of the frames, to the first columns of [positions, inputs,
  /// outputs].
  func transform(
    kernels: UnsafePointer<Float>?, count: Int, outputs: Int, inputs: Int, time: Int,
    into output: UnsafeMutableRawPointer
  ) {
    switch self {
    case .rounded:
      bb_winograd_weights(
        kernels, output.assumingMemoryBound(to: UInt16.self), count, outputs, inputs, time)
    case .wide:
      bb_winograd4_weights(
        kernels, output.assumingMemoryBound(to: Float.self), count, outputs, inputs, time)
    }
  }

  /// Transforms a tile's products back to the pixels of two frames; nil ones are left out.
  func restore(
    _ products: bb_winograd_products, bias: UnsafePointer<Float>,
    earlier: UnsafePointer<UnsafeMutablePointer<Float>?>?,
    later: UnsafePointer<UnsafeMutablePointer<Float>?>?,
    channels: Int, adds: Bool
  ) {
    let apply = self == .rounded ? bb_winograd_output : bb_winograd4_output
    apply(products, bias, earlier, later, channels, adds ? 1 : 0)
  }
}
