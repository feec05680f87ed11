import CKernelLoops
import Tensors

/// A convolution of 3×3×3 pixels by the ``WinogradTransform``, for the outputs of some transformed kernels.
///
/// What is multiplied has 13 bits, scaled row by row, and is summed exactly, so equal rows have the same products on every
/// processor.
struct WinogradConvolution {
  let kernels: WinogradKernels
  private var inputs: Int { kernels.inputs }

  /// The most tiles multiplied at a time: with fewer, kernels are read more often than they take to multiply; with more,
  /// what is written between the steps does not stay in the cache.
  private static let maximumTiles = 132

  /// Computes output (+)= conv(x) + bias in the kernels' channels, for frames [time, height, width, channels] in bf16.
  func callAsFunction(
    _ x: FrameWindow, _ pairs: [FramePair], bias: Tensor, into output: Tensor, adds: Bool,
    in context: KernelContext
  ) throws {
    let grid = TileGrid(height: output.shape[1], width: output.shape[2])
    let tilesAtOnce = min(grid.count, Self.maximumTiles)
    let batch = TileBatch(tiles: tilesAtOnce, inputs: inputs, outputs: kernels.paddedOutputs, in: context)
    let zeros = Tensor.zeros([inputs])
    for start in stride(from: 0, to: grid.count, by: tilesAtOnce) {
      let tiles = start..<min(start + tilesAtOnce, grid.count)
      for pair in pairs {
        transform(x, pair, tiles, grid, into: batch, zeros: zeros)
        try multiply(batch, pair, tiles: tiles.count)
        restore(batch, pair, tiles, grid, bias: bias, into: output, adds: adds)
      }
    }
    withExtendedLifetime((zeros, bias)) {}
  }

  /// Transforms tiles of the four frames that a pair needs.
  private func transform(
    _ x: FrameWindow, _ pair: FramePair, _ tiles: Range<Int>, _ grid: TileGrid, into batch: TileBatch,
    zeros: Tensor
  ) {
    let (zero, pixelSize) = (UnsafeRawPointer(zeros.address), inputs * MemoryLayout<UInt16>.stride)
    let (side, positions) = (WinogradTransform.tile, WinogradTransform.positions)
    let frames = (0..<WinogradTransform.times).map { time in
      let index = pair.firstInput + time
      return 0..<x.count ~= index ? UnsafeRawPointer(x[index].address) : nil
    }
    parallelRows(tiles.count) { part in
      let scratch = ScratchBuffer<Float>(count: positions * inputs.roundedUp(to: 16))
      withUnsafeTemporaryAllocation(
        of: UnsafeRawPointer?.self, capacity: WinogradTransform.times * positions
      ) { pixels in
        for index in part {
          let (y, x) = grid.corner(tiles.lowerBound + index)
          for place in 0..<positions {
            // A tile starts one pixel above and to the left of the pixels that it yields.
            let (line, column) = (y - 1 + place / side, x - 1 + place % side)
            let isInside = 0..<grid.height ~= line && 0..<grid.width ~= column
            for time in frames.indices {
              pixels[time * positions + place] =
                isInside ? frames[time].map { $0 + (line * grid.width + column) * pixelSize } ?? zero : zero
            }
          }
          for time in pair.times {
            let (first, second, sign) = FramePair.inputs[time]
            let (rows, scales) = batch.rows(at: time * positions)
            bb_winograd_input(
              pixels.baseAddress.map { UnsafePointer($0 + first * positions) },
              pixels.baseAddress.map { UnsafePointer($0 + second * positions) }, sign, scratch.base,
              rows + index * batch.rowStride, batch.rowsStride, scales + index, batch.scalesStride, inputs)
          }
        }
      }
    }
  }

  /// Computes the products of all positions, each on one thread.
  private func multiply(_ batch: TileBatch, _ pair: FramePair, tiles: Int) throws {
    let first = pair.times.lowerBound * WinogradTransform.positions
    try parallelItems(pair.times.count * WinogradTransform.positions) { _, next in
      while let item = next() {
        let (rows, scales) = batch.rows(at: first + item)
        let factor = kernels.factor(at: first + item)
        bb_winograd_product(
          rows, scales, tiles, factor.panels, factor.scales, inputs, kernels.paddedOutputs,
          batch.products(at: first + item), KernelContext.instructions)
      }
    }
  }

  private func restore(
    _ batch: TileBatch, _ pair: FramePair, _ tiles: Range<Int>, _ grid: TileGrid, bias: Tensor,
    into output: Tensor, adds: Bool
  ) {
    guard let target = output.elements.baseAddress, let bias = bias.elements.baseAddress else { return }
    let (channels, side, outputs) = (output.shape[3], WinogradTransform.size, kernels.outputs)
    let frames = [pair.earlier, pair.later].map { frame in
      frame.map { target + $0 * grid.height * grid.width * channels + outputs.lowerBound }
    }
    parallelRows(tiles.count) { part in
      withUnsafeTemporaryAllocation(
        of: UnsafeMutablePointer<Float>?.self, capacity: frames.count * side * side
      ) { pixels in
        for index in part {
          let (y, x) = grid.corner(tiles.lowerBound + index)
          for place in 0..<side * side {
            let (line, column) = (y + place / side, x + place % side)
            let isInside = line < grid.height && column < grid.width
            for (frame, first) in frames.enumerated() {
              pixels[frame * side * side + place] =
                isInside ? first.map { $0 + (line * grid.width + column) * channels } : nil
            }
          }
          let (earlier, later) = (pixels.baseAddress, pixels.baseAddress.map { $0 + side * side })
          bb_winograd_output(
            bb_tile_products(
              values: batch.products(at: 0) + index * kernels.paddedOutputs, stride: batch.productsStride,
              has_middle: pair.hasMiddle ? 1 : 0),
            bias + outputs.lowerBound,
            frames[0] == nil ? nil : earlier.map { UnsafePointer($0) },
            frames[1] == nil ? nil : later.map { UnsafePointer($0) }, outputs.count, adds ? 1 : 0)
        }
      }
    }
  }
}

/// The division of a frame, row by row, into tiles.
private struct TileGrid {
  let height: Int, width: Int

  private var columns: Int { (width + WinogradTransform.size - 1) / WinogradTransform.size }
  var count: Int { (height + WinogradTransform.size - 1) / WinogradTransform.size * columns }

  /// Returns the first pixel that a tile yields.
  func corner(_ tile: Int) -> (y: Int, x: Int) {
    (tile / columns * WinogradTransform.size, tile % columns * WinogradTransform.size)
  }
}

/// Where transformed tiles and their products with the kernels are, position by position.
private struct TileBatch {
  private let transformed: ScratchBuffer<Int16>, scales: ScratchBuffer<Float>, results: ScratchBuffer<Float>
  /// The distance between two tiles at one position, in numbers.
  let rowStride: Int
  /// The distances between two positions, in numbers: a cache line more than they take, since lines at powers of two would
  /// compete for the same places in the cache.
  let rowsStride: Int, scalesStride: Int, productsStride: Int

  init(tiles: Int, inputs: Int, outputs: Int, in context: KernelContext) {
    (transformed, scales, results) = (context.transformedTiles, context.tileScales, context.tileProducts)
    rowStride = inputs.roundedUp(to: 2)
    rowsStride = tiles * rowStride + Self.cacheLine / MemoryLayout<Int16>.stride
    scalesStride = tiles
    productsStride = tiles * outputs + Self.cacheLine / MemoryLayout<Float>.stride
    let positions = WinogradTransform.times * WinogradTransform.positions
    transformed.reserve(count: positions * rowsStride)
    scales.reserve(count: positions * scalesStride)
    results.reserve(count: positions * productsStride)
  }

  func rows(at position: Int) -> (UnsafeMutablePointer<Int16>, scales: UnsafeMutablePointer<Float>) {
    (transformed.base + position * rowsStride, scales.base + position * scalesStride)
  }

  func products(at position: Int) -> UnsafeMutablePointer<Float> { results.base + position * productsStride }

  private static let cacheLine = 64
}
