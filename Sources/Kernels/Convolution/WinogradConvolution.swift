import CDNNL
import CKernelLoops
import Tensors

/// A convolution of 3×3 pixels and one or more frames in bf16 by Winograd's F(2×2, 3×3) (Lavin and Gray, "Fast
/// Algorithms for Convolutional Neural Networks", 2016).
///
/// Tiles of 4×4 pixels, overlapping by two, and the kernels are transformed, multiplied position by position as sixteen
/// matrices, and transformed back to 2×2 pixels each.
///
/// It needs 2.25 times fewer multiplications than the definition. The kernels of several frames share the input
/// transforms. Its rounding errors are about twice those of a sum of taps in bf16, so it serves wherever bf16 does.
final class WinogradConvolution {
  private static let positions = 16
  /// The number of values per position that are multiplied at a time; those of all positions should stay in the cache.
  private static let maximumValues = 1 << 17

  private let inputs: Int, outputs: Int, times: Int
  private let weightLayout: dnnl_memory_desc_t
  /// The transformed kernels, [times, positions], each in the layout that the products read.
  private let kernels: ScratchBuffer<UInt16>
  /// The number of values of one kernel at one position, in that layout.
  private let kernelSize: Int

  /// The most tiles multiplied at a time.
  private let maximumTiles: Int

  /// Transforms the kernels [outputs, inputs, times, 3, 3].
  init(_ weight: Weight, in context: KernelContext) throws {
    (outputs, inputs, times) = (weight.shape[0], weight.shape[1], weight.shape[2])
    let matrix = Layout([inputs, outputs], .bf16)
    maximumTiles = max(1, Self.maximumValues / max(inputs, outputs))
    weightLayout = try context.reorderedLayout(
      of: matrix, left: Layout([maximumTiles, inputs], .bf16), Layout([maximumTiles, outputs]))
    var layout = weightLayout
    kernelSize = dnnl_memory_desc_get_size(&layout) / MemoryLayout<UInt16>.stride
    let count = times * Self.positions
    kernels = ScratchBuffer(count: kernelSize * count, isLasting: true)
    let transformed = ScratchBuffer<UInt16>(count: inputs * outputs * Self.positions)
    for time in 0..<times {
      transform(weight, time: time, into: transformed.base)
      for position in 0..<Self.positions {
        try context.reorder(
          transformed.base + position * inputs * outputs, matrix,
          into: kernels.base + (time * Self.positions + position) * kernelSize, weightLayout)
      }
    }
  }

  /// Transforms one frame of the kernels to [positions, inputs, outputs]; each thread converts a few outputs at a time.
  private func transform(_ weight: Weight, time: Int, into output: UnsafeMutablePointer<UInt16>) {
    let outputsAtOnce = 32
    parallelRows(outputs) { part in
      let scratch = ScratchBuffer<Float>(count: outputsAtOnce * weight.rowLength)
      for start in Swift.stride(from: part.lowerBound, to: part.upperBound, by: outputsAtOnce) {
        let rows = start..<min(start + outputsAtOnce, part.upperBound)
        scratch.with(count: rows.count * weight.rowLength) { values in
          weight.convertToFloat(rows: rows, into: values)
          bb_winograd_weights(
            values.baseAddress, output + start, rows.count, outputs, inputs, times, time)
        }
      }
    }
  }

  /// Computes output (+)= conv(x) + bias for frames [time, height, width, channels] after `timePadding` zero frames.
  func callAsFunction(
    _ x: FrameWindow, timePadding: Int, bias: Tensor, into output: Tensor, adds: Bool,
    in context: KernelContext
  ) throws {
    let grid = TileGrid(height: output.shape[1], width: output.shape[2])
    // Rounded up, so that a few row counts share primitives; rows past the last tile are computed but not used.
    let tilesAtOnce = min((grid.count + 63) / 64 * 64, maximumTiles)
    let batch = try TileBatch(
      count: tilesAtOnce, left: Layout([tilesAtOnce, inputs], .bf16), output: Layout([tilesAtOnce, outputs]),
      right: Layout([inputs, outputs], .bf16), reordered: weightLayout, in: context)
    let slot = Self.positions * tilesAtOnce * inputs
    // A ring of transformed frames, as many as a kernel sees.
    let transforms = ScratchBuffer<UInt16>(count: times * slot)
    let products = ScratchBuffer<Float>(count: Self.positions * tilesAtOnce * outputs)
    let zeros = Tensor.zeros([inputs])
    let scratch = (0..<KernelContext.threads).map { _ in ScratchBuffer<UInt8>(count: batch.scratchSize) }
    for start in stride(from: 0, to: grid.count, by: tilesAtOnce) {
      let tiles = start..<min(start + tilesAtOnce, grid.count)
      var transformed = 0
      for frame in 0..<output.shape[0] {
        let taps = max(0, timePadding - frame)..<times
        while transformed <= frame - timePadding + times - 1 {
          transform(
            x[transformed], isRounded: transformed < x.rememberedCount, tiles, grid, rows: tilesAtOnce,
            zeros: zeros, into: transforms.base + transformed % times * slot)
          transformed += 1
        }
        try multiply(batch, taps, scratch, in: context) { tap in
          transforms.base + (frame - timePadding + tap) % times * slot
        } into: {
          products.base + $0 * tilesAtOnce * self.outputs
        }
        restore(products, tiles, grid, rows: tilesAtOnce, bias: bias, into: output, frame: frame, adds: adds)
      }
    }
    withExtendedLifetime((zeros, bias, transforms, products)) {}
  }

  private func transform(
    _ frame: Tensor, isRounded: Bool, _ tiles: Range<Int>, _ grid: TileGrid, rows: Int, zeros: Tensor,
    into output: UnsafeMutablePointer<UInt16>
  ) {
    let (first, zero, size) = (frame.address, zeros.address, isRounded ? 2 : 4)
    let apply = isRounded ? bb_winograd_rounded_input : bb_winograd_input
    parallelRows(tiles.count) { part in
      withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: Self.positions) { pixels in
        for index in part {
          let (y, x) = grid.corner(tiles.lowerBound + index)
          for place in 0..<Self.positions {
            // A tile starts one pixel above and to the left of the four pixels that it yields.
            let (line, column) = (y - 1 + place / 4, x - 1 + place % 4)
            let isInside = 0..<grid.height ~= line && 0..<grid.width ~= column
            pixels[place] = UnsafeRawPointer(
              isInside ? first + (line * grid.width + column) * inputs * size : zero)
          }
          apply(pixels.baseAddress, output + index * inputs, rows * inputs, inputs)
        }
      }
    }
  }

  /// Computes the products of all positions, each on one thread.
  private func multiply(
    _ batch: TileBatch, _ taps: Range<Int>, _ scratch: [ScratchBuffer<UInt8>], in context: KernelContext,
    _ left: (_ tap: Int) -> UnsafeMutablePointer<UInt16>,
    into output: (_ position: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    try parallelItems(Self.positions) { thread, next in
      while let position = next() {
        for tap in taps {
          let primitive = tap == taps.lowerBound ? batch.storing : batch.adding
          try context.execute(
            primitive,
            [
              .init(DNNL_ARG_SRC, batch.left, left(tap) + position * batch.count * inputs),
              .init(
                DNNL_ARG_WEIGHTS, weightLayout,
                kernels.base + (tap * Self.positions + position) * kernelSize),
              .init(DNNL_ARG_DST, batch.output, output(position)),
              try primitive.scratch(scratch[thread].base),
            ], "convolution")
        }
      }
    }
  }

  private func restore(
    _ products: ScratchBuffer<Float>, _ tiles: Range<Int>, _ grid: TileGrid, rows: Int, bias: Tensor,
    into output: Tensor,
    frame: Int,
    adds: Bool
  ) {
    guard let target = output.elements.baseAddress, let bias = bias.elements.baseAddress else { return }
    let first = target + frame * grid.height * grid.width * outputs
    let source = products.base
    parallelRows(tiles.count) { part in
      withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>?.self, capacity: 4) { pixels in
        for index in part {
          let (y, x) = grid.corner(tiles.lowerBound + index)
          for place in 0..<4 {
            let (line, column) = (y + place / 2, x + place % 2)
            pixels[place] =
              line < grid.height && column < grid.width ? first + (line * grid.width + column) * outputs : nil
          }
          bb_winograd_output(
            source + index * outputs, rows * outputs, bias, pixels.baseAddress, outputs, adds ? 1 : 0)
        }
      }
    }
  }
}

/// The division of a frame, row by row, into tiles that yield 2×2 pixels each.
private struct TileGrid {
  let height: Int, width: Int

  private var columns: Int { (width + 1) / 2 }
  var count: Int { (height + 1) / 2 * columns }

  /// Returns the first pixel that a tile yields.
  func corner(_ tile: Int) -> (y: Int, x: Int) { (tile / columns * 2, tile % columns * 2) }
}

/// The primitives that multiply one batch of tiles.
private struct TileBatch {
  let count: Int
  let left: dnnl_memory_desc_t, output: dnnl_memory_desc_t
  /// The first product of a position is stored; the others are added to it.
  let storing: Primitive, adding: Primitive

  init(
    count: Int, left: Layout, output: Layout, right: Layout, reordered: dnnl_memory_desc_t,
    in context: KernelContext
  ) throws {
    self.count = count
    self.left = try left.descriptor()
    self.output = try output.descriptor()
    storing = try context.serialProduct(left, right, output, reordered: reordered)
    adding = try context.serialProduct(left, right, output, reordered: reordered, adds: true)
  }

  var scratchSize: Int { max(storing.scratchSize, adding.scratchSize) }
}
