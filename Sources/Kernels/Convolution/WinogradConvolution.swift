import CDNNL
import CKernelLoops
import Tensors

/// A convolution of 3×3×3 pixels by a ``WinogradTransform``.
final class WinogradConvolution {
  private let transform: WinogradTransform
  private let inputs: Int
  /// The products in time whose kernels this has.
  private let times: Range<Int>
  /// The range of the convolution's output channels that this computes.
  private let outputs: Range<Int>
  private let weightLayout: LayoutDescriptor
  /// The transformed kernels, [times, positions], each in the layout that the products read, as bytes.
  private let kernels: ScratchBuffer<UInt8>
  /// The size of one kernel at one position, in that layout, in bytes.
  private let kernelSize: Int

  /// Transforms some of the kernels [outputs, inputs, 3, 3, 3].
  ///
  /// - Parameters:
  ///   - times: the products in time that are needed.
  ///   - memory: where to keep the transformed kernels, for a convolution that is used once; nil for memory of its own.
  init(
    _ weight: Weight, outputs: Range<Int>, times: Range<Int> = 0..<WinogradTransform.times,
    _ transform: WinogradTransform,
    in context: KernelContext, keepingKernelsIn memory: ScratchBuffer<UInt8>? = nil
  ) throws {
    self.transform = transform
    self.outputs = outputs
    self.times = times
    inputs = weight.shape[1]
    let matrix = Layout([inputs, outputs.count], transform.type)
    weightLayout =
      transform.prefersReorderedKernels
      ? try context.reorderedLayout(
        of: matrix, left: Layout([transform.maximumTiles, inputs], transform.type),
        Layout([transform.maximumTiles, outputs.count]))
      : try matrix.descriptor()
    kernelSize = weightLayout.byteCount
    let size = kernelSize * times.count * transform.positions
    if let memory {
      kernels = memory
      memory.reserve(count: size)
    } else {
      kernels = ScratchBuffer(count: size, isLasting: true)
    }
    let plainSize = inputs * outputs.count * transform.elementSize
    let reordered = ScratchBuffer<UInt8>(
      count: transform.prefersReorderedKernels ? plainSize * transform.positions : 0)
    for time in times {
      let target = kernels.base + (time - times.lowerBound) * transform.positions * kernelSize
      guard transform.prefersReorderedKernels else {
        apply(weight, time: time, into: target)
        continue
      }
      apply(weight, time: time, into: reordered.base)
      for position in 0..<transform.positions {
        try context.reorder(
          reordered.base + position * plainSize, matrix, into: target + position * kernelSize, weightLayout)
      }
    }
  }

  /// The size in bytes of all transformed kernels, in row-major order.
  static func kernelByteCount(_ weight: Weight, _ transform: WinogradTransform) -> Int {
    weight.shape[0] * weight.shape[1] * WinogradTransform.times * transform.positions * transform.elementSize
  }

  /// Transforms the kernels for one product in time to [positions, inputs, outputs]; each thread converts a few outputs at a time.
  private func apply(_ weight: Weight, time: Int, into output: UnsafeMutableRawPointer) {
    let outputsAtOnce = 32
    parallelRows(outputs.count) { part in
      let scratch = ScratchBuffer<Float>(count: outputsAtOnce * weight.rowLength)
      for start in Swift.stride(from: part.lowerBound, to: part.upperBound, by: outputsAtOnce) {
        let rows = start..<min(start + outputsAtOnce, part.upperBound)
        scratch.with(count: rows.count * weight.rowLength) { values in
          weight.convertToFloat(
            rows: outputs.lowerBound + rows.lowerBound..<outputs.lowerBound + rows.upperBound, into: values)
          transform.transform(
            kernels: values.baseAddress, count: rows.count, outputs: outputs.count, inputs: inputs,
            time: time, into: output + start * transform.elementSize)
        }
      }
    }
  }

  /// Computes output (+)= conv(x) + bias in some of the channels, for frames [time, height, width, channels].
  func callAsFunction(
    _ x: FrameWindow, _ pairs: [FramePair], bias: Tensor, into output: Tensor, adds: Bool,
    in context: KernelContext
  ) throws {
    let grid = TileGrid(height: output.shape[1], width: output.shape[2], size: transform.size)
    // Rounded up, so that a few row counts share primitives; rows past the last tile are computed but not used.
    let tilesAtOnce = min((grid.count + 63) / 64 * 64, transform.maximumTiles)
    let batch = try TileBatch(
      left: Layout([tilesAtOnce, inputs], transform.type),
      output: Layout([tilesAtOnce, outputs.count]), right: Layout([inputs, outputs.count], transform.type),
      reordered: weightLayout, in: context)
    let products = WinogradTransform.times * transform.positions
    context.transformedTiles.reserve(count: products * batch.leftSize)
    context.tileProducts.reserve(count: products * batch.outputCount)
    let zeros = Tensor.zeros([inputs])
    let scratch = (0..<KernelContext.threads).map { _ in
      ScratchBuffer<UInt8>(count: batch.product.scratchSize)
    }
    for start in stride(from: 0, to: grid.count, by: tilesAtOnce) {
      let tiles = start..<min(start + tilesAtOnce, grid.count)
      for pair in pairs {
        apply(x, pair, tiles, grid, batch, zeros: zeros, into: context.transformedTiles.base)
        try multiply(batch, pair, scratch, in: context)
        restore(context.tileProducts, pair, tiles, grid, batch, bias: bias, into: output, adds: adds)
      }
    }
    withExtendedLifetime((zeros, bias)) {}
  }

  /// Transforms tiles of the four frames that a pair needs to [times, positions, rows, inputs].
  private func apply(
    _ x: FrameWindow, _ pair: FramePair, _ tiles: Range<Int>, _ grid: TileGrid, _ batch: TileBatch,
    zeros: Tensor, into output: UnsafeMutableRawPointer
  ) {
    let (zero, pixelSize) = (UnsafeRawPointer(zeros.address), inputs * transform.elementSize)
    let (side, positions) = (transform.tile, transform.positions)
    let frames = (0..<WinogradTransform.times).map { time in
      let index = pair.firstInput + time
      return 0..<x.count ~= index ? UnsafeRawPointer(x[index].address) : nil
    }
    parallelRows(tiles.count) { part in
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
            transform.transform(
              pixels.baseAddress.map { UnsafePointer($0 + first * positions) },
              pixels.baseAddress.map { UnsafePointer($0 + second * positions) }, sign: sign,
              into: output + time * positions * batch.leftSize + index * pixelSize,
              stride: batch.leftSize / transform.elementSize, channels: inputs)
          }
        }
      }
    }
  }

  /// Computes the products of all positions, each on one thread.
  private func multiply(
    _ batch: TileBatch, _ pair: FramePair, _ scratch: [ScratchBuffer<UInt8>], in context: KernelContext
  ) throws {
    let first = pair.times.lowerBound * transform.positions
    let missing = times.lowerBound * transform.positions
    try parallelItems(pair.times.count * transform.positions) { thread, next in
      while let item = next() {
        let position = first + item
        try context.execute(
          batch.product,
          [
            .init(
              DNNL_ARG_SRC, batch.left,
              context.transformedTiles.base + position * batch.leftSize),
            .init(DNNL_ARG_WEIGHTS, weightLayout, kernels.base + (position - missing) * kernelSize),
            .init(DNNL_ARG_DST, batch.output, context.tileProducts.base + position * batch.outputCount),
            batch.product.scratch(scratch[thread].base),
          ], "convolution")
      }
    }
  }

  private func restore(
    _ products: ScratchBuffer<Float>, _ pair: FramePair, _ tiles: Range<Int>, _ grid: TileGrid,
    _ batch: TileBatch,
    bias: Tensor, into output: Tensor, adds: Bool
  ) {
    guard let target = output.elements.baseAddress, let bias = bias.elements.baseAddress else { return }
    let (channels, side) = (output.shape[3], transform.size)
    let frames = [pair.earlier, pair.later].map { frame in
      frame.map { target + $0 * grid.height * grid.width * channels + outputs.lowerBound }
    }
    let source = products.base
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
          transform.restore(
            bb_winograd_products(
              values: source + index * outputs.count, stride: batch.outputCount,
              has_middle: pair.hasMiddle ? 1 : 0),
            bias: bias + outputs.lowerBound,
            earlier: frames[0] == nil ? nil : earlier.map { UnsafePointer($0) },
            later: frames[1] == nil ? nil : later.map { UnsafePointer($0) },
            channels: outputs.count, adds: adds)
        }
      }
    }
  }
}

/// The division of a frame, row by row, into tiles that yield `size`² pixels each.
private struct TileGrid {
  let height: Int, width: Int, size: Int

  private var columns: Int { (width + size - 1) / size }
  var count: Int { (height + size - 1) / size * columns }

  /// Returns the first pixel that a tile yields.
  func corner(_ tile: Int) -> (y: Int, x: Int) { (tile / columns * size, tile % columns * size) }
}

/// The product of one batch of tiles at one position.
private struct TileBatch {
  let left: LayoutDescriptor, output: LayoutDescriptor
  let product: Primitive
  /// The bytes from one position's left factor to the next one's, and the elements from one output to the next: a cache
  /// line more than they take, since lines at powers of two would compete for the same places in the cache.
  let leftSize: Int, outputCount: Int

  init(
    left: Layout, output: Layout, right: Layout, reordered: LayoutDescriptor,
    in context: KernelContext
  ) throws {
    self.left = try left.descriptor()
    self.output = try output.descriptor()
    product = try context.serialProduct(left, right, output, reordered: reordered)
    leftSize = self.left.byteCount + Self.cacheLine
    outputCount = (self.output.byteCount + Self.cacheLine) / MemoryLayout<Float>.stride
  }

  private static let cacheLine = 64
}
