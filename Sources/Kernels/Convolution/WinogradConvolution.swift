import CDNNL
import CKernelLoops
import Tensors

/// A convolution of 3×3 pixels and one or more frames by a ``WinogradTransform``.
///
/// The kernels of several frames share the input transforms.
final class WinogradConvolution {
  private let transform: WinogradTransform
  private let inputs: Int, times: Int
  /// The range of the kernels' frames that this has.
  private let taps: Range<Int>
  /// The range of the convolution's output channels that this computes.
  private let outputs: Range<Int>
  private let weightLayout: LayoutDescriptor
  /// The transformed kernels, [taps, positions], each in the layout that the products read, as bytes.
  private let kernels: ScratchBuffer<UInt8>
  /// The size of one kernel at one position, in that layout, in bytes.
  private let kernelSize: Int
  /// The most tiles multiplied at a time.
  private let maximumTiles: Int

  /// Transforms some of the kernels [outputs, inputs, times, 3, 3].
  ///
  /// - Parameters:
  ///   - taps: the kernels' frames that are needed; nil for all.
  ///   - memory: where to keep the transformed kernels, for a convolution that is used once; nil for memory of its own.
  init(
    _ weight: Weight, outputs: Range<Int>, taps: Range<Int>? = nil, _ transform: WinogradTransform,
    in context: KernelContext, keepingKernelsIn memory: ScratchBuffer<UInt8>? = nil
  ) throws {
    self.transform = transform
    self.outputs = outputs
    self.taps = taps ?? 0..<weight.shape[2]
    (inputs, times) = (weight.shape[1], weight.shape[2])
    let matrix = Layout([inputs, outputs.count], transform.type)
    maximumTiles = max(1, transform.maximumValues / max(inputs, outputs.count))
    weightLayout =
      transform.prefersReorderedKernels
      ? try context.reorderedLayout(
        of: matrix, left: Layout([maximumTiles, inputs], transform.type),
        Layout([maximumTiles, outputs.count]))
      : try matrix.descriptor()
    kernelSize = weightLayout.byteCount
    let size = kernelSize * self.taps.count * transform.positions
    if let memory {
      kernels = memory
      memory.reserve(count: size)
    } else {
      kernels = ScratchBuffer(count: size, isLasting: true)
    }
    let plainSize = inputs * outputs.count * transform.elementSize
    let reordered = ScratchBuffer<UInt8>(
      count: transform.prefersReorderedKernels ? plainSize * transform.positions : 0)
    for time in self.taps {
      let target = kernels.base + (time - self.taps.lowerBound) * transform.positions * kernelSize
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
    weight.shape[0] * weight.shape[1] * weight.shape[2] * transform.positions * transform.elementSize
  }

  /// Transforms one frame of the kernels to [positions, inputs, outputs]; each thread converts a few outputs at a time.
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
            times: times, time: time, into: output + start * transform.elementSize)
        }
      }
    }
  }

  /// Computes output (+)= conv(x) + bias in some of the channels, for frames [time, height, width, channels] after
  /// `timePadding` zero frames.
  func callAsFunction(
    _ x: FrameWindow, timePadding: Int, bias: Tensor, into output: Tensor, adds: Bool,
    in context: KernelContext
  ) throws {
    let (size, positions) = (transform.elementSize, transform.positions)
    let grid = TileGrid(height: output.shape[1], width: output.shape[2], size: transform.size)
    // Rounded up, so that a few row counts share primitives; rows past the last tile are computed but not used.
    let tilesAtOnce = min((grid.count + 63) / 64 * 64, maximumTiles)
    let batch = try TileBatch(
      count: tilesAtOnce, left: Layout([tilesAtOnce, inputs], transform.type),
      output: Layout([tilesAtOnce, outputs.count]), right: Layout([inputs, outputs.count], transform.type),
      reordered: weightLayout, in: context)
    let slot = positions * tilesAtOnce * inputs * size
    // A ring of transformed frames, as many as a kernel sees.
    let (transforms, products) = (context.transformedTiles, context.tileProducts)
    transforms.reserve(count: times * slot)
    products.reserve(count: positions * tilesAtOnce * outputs.count)
    let zeros = Tensor.zeros([inputs])
    let scratch = (0..<KernelContext.threads).map { _ in ScratchBuffer<UInt8>(count: batch.scratchSize) }
    for start in stride(from: 0, to: grid.count, by: tilesAtOnce) {
      let tiles = start..<min(start + tilesAtOnce, grid.count)
      var transformed = 0
      for frame in 0..<output.shape[0] {
        let taps = max(0, timePadding - frame)..<times
        while transformed <= frame - timePadding + times - 1 {
          apply(
            x[transformed], isRounded: transform == .rounded && transformed < x.rememberedCount, tiles, grid,
            rows: tilesAtOnce, zeros: zeros, into: transforms.base + transformed % times * slot)
          transformed += 1
        }
        try multiply(batch, taps, scratch, in: context) { tap in
          transforms.base + (frame - timePadding + tap) % times * slot
        } into: {
          products.base + $0 * tilesAtOnce * self.outputs.count
        }
        restore(products, tiles, grid, rows: tilesAtOnce, bias: bias, into: output, frame: frame, adds: adds)
      }
    }
    withExtendedLifetime((zeros, bias)) {}
  }

  private func apply(
    _ frame: Tensor, isRounded: Bool, _ tiles: Range<Int>, _ grid: TileGrid, rows: Int, zeros: Tensor,
    into output: UnsafeMutableRawPointer
  ) {
    let (first, zero, size) = (frame.address, zeros.address, isRounded ? 2 : 4)
    let side = transform.tile
    parallelRows(tiles.count) { part in
      withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: transform.positions) { pixels in
        for index in part {
          let (y, x) = grid.corner(tiles.lowerBound + index)
          for place in 0..<transform.positions {
            // A tile starts one pixel above and to the left of the pixels that it yields.
            let (line, column) = (y - 1 + place / side, x - 1 + place % side)
            let isInside = 0..<grid.height ~= line && 0..<grid.width ~= column
            pixels[place] = UnsafeRawPointer(
              isInside ? first + (line * grid.width + column) * inputs * size : zero)
          }
          transform.transform(
            pixels, isRounded: isRounded, into: output + index * inputs * transform.elementSize,
            stride: rows * inputs, channels: inputs)
        }
      }
    }
  }

  /// Computes the products of all positions, each on one thread.
  private func multiply(
    _ batch: TileBatch, _ taps: Range<Int>, _ scratch: [ScratchBuffer<UInt8>], in context: KernelContext,
    _ left: (_ tap: Int) -> UnsafeMutablePointer<UInt8>,
    into output: (_ position: Int) -> UnsafeMutablePointer<Float>
  ) throws {
    let positions = transform.positions
    try parallelItems(positions) { thread, next in
      while let position = next() {
        for tap in taps {
          let primitive = tap == taps.lowerBound ? batch.storing : batch.adding
          try context.execute(
            primitive,
            [
              .init(
                DNNL_ARG_SRC, batch.left, left(tap) + position * batch.count * inputs * transform.elementSize),
              .init(
                DNNL_ARG_WEIGHTS, weightLayout,
                kernels.base + ((tap - self.taps.lowerBound) * positions + position) * kernelSize),
              .init(DNNL_ARG_DST, batch.output, output(position)),
              primitive.scratch(scratch[thread].base),
            ], "convolution")
        }
      }
    }
  }

  private func restore(
    _ products: ScratchBuffer<Float>, _ tiles: Range<Int>, _ grid: TileGrid, rows: Int, bias: Tensor,
    into output: Tensor, frame: Int, adds: Bool
  ) {
    guard let target = output.elements.baseAddress, let bias = bias.elements.baseAddress else { return }
    let channels = output.shape[3]
    let first = target + frame * grid.height * grid.width * channels + outputs.lowerBound
    let (source, side) = (products.base, transform.size)
    parallelRows(tiles.count) { part in
      withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<Float>?.self, capacity: side * side) { pixels in
        for index in part {
          let (y, x) = grid.corner(tiles.lowerBound + index)
          for place in pixels.indices {
            let (line, column) = (y + place / side, x + place % side)
            pixels[place] =
              line < grid.height && column < grid.width
              ? first + (line * grid.width + column) * channels : nil
          }
          transform.restore(
            source + index * outputs.count, stride: rows * outputs.count, bias: bias + outputs.lowerBound,
            into: pixels, channels: outputs.count, adds: adds)
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

/// The primitives that multiply one batch of tiles.
private struct TileBatch {
  let count: Int
  let left: LayoutDescriptor, output: LayoutDescriptor
  /// The first product of a position is stored; the others are added to it.
  let storing: Primitive, adding: Primitive

  init(
    count: Int, left: Layout, output: Layout, right: Layout, reordered: LayoutDescriptor,
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
