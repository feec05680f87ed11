import CKernelLoops
import Tensors

/// One of Winograd's minimal filterings F(n×n, 3×3): overlapping tiles of (n + 2)² pixels and the kernels are transformed,
/// multiplied position by position, and transformed back to n² pixels (Lavin and Gray, "Fast Algorithms for
/// Convolutional Neural Networks", 2016).
enum WinogradTransform: Hashable {
  /// F(2×2, 3×3) with products in bf16: 2.25 times fewer multiplications than the definition. Its rounding errors are
  /// about twice those of a sum of taps in bf16, so it serves wherever bf16 does.
  case rounded
  /// F(4×4, 3×3) in f32: 4 times fewer multiplications. Its errors are those of f32 times its coefficients, far below
  /// those of bf16, so it serves where the plan allows bf16 and the processor has none.
  case wide

  /// The number of pixels that a tile yields per side.
  var size: Int { self == .rounded ? 2 : 4 }
  /// The number of pixels of a tile per side.
  var tile: Int { size + 2 }
  /// The number of products of matrices.
  var positions: Int { tile * tile }
  /// The type of the products' operands.
  var type: NumberType { self == .rounded ? .bf16 : .f32 }
  /// The size of an operand's element in bytes.
  var elementSize: Int { self == .rounded ? 2 : 4 }
  /// Whether products read kernels in a layout that oneDNN chooses; otherwise row by row.
  var prefersReorderedKernels: Bool { self == .rounded }
  /// The number of values per position that are multiplied at a time; those of all positions should stay in the cache.
  var maximumValues: Int { self == .rounded ? 1 << 17 : 1 << 16 }

  /// Transforms the pixels of one tile, each a row of channels in f32, or in bf16 if `isRounded`, to rows that are
  /// `stride` elements apart.
  func transform(
    _ pixels: UnsafeMutableBufferPointer<UnsafeRawPointer?>, isRounded: Bool,
    into output: UnsafeMutableRawPointer,
    stride: Int, channels: Int
  ) {
    switch self {
    case .rounded:
      let apply = isRounded ? bb_winograd_rounded_input : bb_winograd_input
      apply(pixels.baseAddress, output.assumingMemoryBound(to: UInt16.self), stride, channels)
    case .wide:
      bb_winograd4_input(
        pixels.baseAddress, output.assumingMemoryBound(to: Float.self), stride, channels)
    }
  }

  /// Transforms one frame of `count` kernels [count, inputs, times, 3, 3] to the first columns of [positions, inputs,
  /// outputs].
  func transform(
    kernels: UnsafePointer<Float>?, count: Int, outputs: Int, inputs: Int, times: Int, time: Int,
    into output: UnsafeMutableRawPointer
  ) {
    switch self {
    case .rounded:
      bb_winograd_weights(
        kernels, output.assumingMemoryBound(to: UInt16.self), count, outputs, inputs, times, time)
    case .wide:
      bb_winograd4_weights(
        kernels, output.assumingMemoryBound(to: Float.self), count, outputs, inputs, times, time)
    }
  }

  /// Transforms a tile's products, rows of channels that are `stride` elements apart, back to pixels; nil ones are left
  /// out.
  func restore(
    _ products: UnsafePointer<Float>, stride: Int, bias: UnsafePointer<Float>,
    into pixels: UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>?>, channels: Int, adds: Bool
  ) {
    let apply = self == .rounded ? bb_winograd_output : bb_winograd4_output
    apply(products, stride, bias, pixels.baseAddress, channels, adds ? 1 : 0)
  }
}
