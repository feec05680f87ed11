import CDNNL
import Files
import Tensors

/// A 3-D convolution (`torch.nn.Conv3d`) over the frames [time, height, width, channels] of one sample.
package struct Convolution3D {
  /// Kernel extents: time, height, width.
  package let kernel: [Int]
  private let stride: [Int]
  private let weight: Weight
  private let bias: Weight
  /// Cached transformed kernels: a clip is decoded chunk by chunk and tile by tile.
  private let prepared = Prepared()

  private final class Prepared {
    var kernels: WinogradKernels?
  }

  /// Whether it is computed by ``WinogradTransform``, which the plan allows where it allows bf16.
  private var isTransformed: Bool {
    weight.activations == .bf16 && stride == [1, 1, 1] && kernel == [3, 3, 3]
  }

  /// The most transformed kernels held at a time, in bytes.
  private static let maximumKernels = 128 << 20
  /// The most transformed kernels that are kept, in bytes: making larger ones again takes little of the time that their
  /// products take, and all of a decoder would fill gigabytes.
  private static let maximumKeptKernels = 32 << 20

  /// Creates a convolution from a weight of shape [outputs, inputs, time, height, width] and a bias of shape [outputs].
  package init(weight: Weight, bias: Weight, stride: [Int] = [1, 1, 1]) {
    precondition(weight.shape.count == 5 && bias.shape == [weight.shape[0]] && stride.count == 3)
    kernel = Array(weight.shape[2...])
    self.stride = stride
    self.weight = weight
    self.bias = bias
  }

  /// Convolves frames, padded with zeros in space so that their size is kept ("same"), and with `timePadding` frames of
  /// zeros in front.
  ///
  /// - Parameters:
  ///   - memory: frames that precede x; the last frames of x are stored in it. With a stride of two in time, one
  ///     remembered frame keeps the windows in step.
  ///   - residual: a tensor to which the result is added in place, and which is then returned; nil for a new tensor.
  package func callAsFunction(
    _ x: Tensor, after memory: TemporalContext? = nil, timePadding: Int, addingTo residual: Tensor? = nil,
    in context: KernelContext
  ) throws -> Tensor {
    let channels = weight.shape[1]
    precondition(x.shape.count == 4 && x.shape[3] == channels, "\(x.shape) into \(weight.shape)")
    let padding = [timePadding, kernel[1] / 2, kernel[2] / 2]
    let after = [0, kernel[1] / 2, kernel[2] / 2]
    // All frames that a transform reads are rounded, so that the result does not depend on which are remembered.
    let read = isTransformed ? FrameWindow.rounded(x) : x
    let frames = FrameWindow(read, after: memory, length: kernel[0] - stride[0])
    let extents = [frames.count] + x.shape[1..<3]
    let outputExtents = (0..<3).map { axis -> Int in
      let padded = extents[axis] + padding[axis] + after[axis]
      return (padded - kernel[axis]) / stride[axis] + 1
    }
    let geometry = ConvolutionGeometry(
      inputChannels: channels, outputChannels: weight.shape[0], input: extents, output: outputExtents,
      kernel: kernel, stride: stride, before: padding, after: after)
    let bias = bias.tensor()
    let shape = outputExtents + [weight.shape[0]]
    precondition(residual.map { $0.shape == shape } ?? true)
    defer {
      count(outputExtents, timePadding: timePadding, in: context)
      memory?.remember(read)
    }
    if isTransformed {
      let output = residual ?? Tensor(shape)
      let pairs = FramePair.pairs(
        count: outputExtents[0], earlier: frames.earlierCount, timePadding: timePadding)
      try forEachWinograd(pairs, in: context) {
        try $0(frames, pairs, bias: bias, into: output, adds: residual != nil, in: context)
      }
      context.magnitudes?.record(weight.name, x, output)
      return output
    }
    let output = residual ?? Tensor.zeros(shape)
    try weight.withFloats(scratch: context.floatWeights) { weights in
      if stride == [1, 1, 1] {
        try context.addSumOfTaps(geometry, frames, weights: weights.baseAddress, bias: bias, to: output)
      } else {
        try context.convolve(
          geometry, frames.joined(), weights: weights.baseAddress, bias: bias, addingTo: output)
      }
    }
    context.magnitudes?.record(weight.name, x, output)
    return output
  }

  /// Calls `body` with the Winograd convolutions that together compute all output channels.
  private func forEachWinograd(
    _ pairs: [FramePair], in context: KernelContext, _ body: (WinogradConvolution) throws -> Void
  ) throws {
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let size = WinogradKernels.size(inputs: inputs)
    if outputs * size <= Self.maximumKeptKernels {
      let kernels = prepared.kernels ?? WinogradKernels(weight)
      prepared.kernels = kernels
      return try body(WinogradConvolution(kernels: kernels))
    }
    // Whole panels, as many as tiles have side by side.
    let outputsAtOnce = max(64, Self.maximumKernels / size / 64 * 64)
    let times = (pairs.map(\.times.lowerBound).min() ?? 0)..<WinogradTransform.times
    for start in Swift.stride(from: 0, to: outputs, by: outputsAtOnce) {
      let kernels = context.transformedKernels
      kernels.set(weight, outputs: start..<min(start + outputsAtOnce, outputs), times: times)
      try body(WinogradConvolution(kernels: kernels))
    }
  }

  /// Counts the operations of the definition, without taps that see only the zeros in front.
  private func count(_ output: [Int], timePadding: Int, in context: KernelContext) {
    let channelPairs = weight.shape[0] * weight.shape[1]
    context.operations.convolution += (0..<output[0]).reduce(0) { sum, frame in
      let taps = kernel[0] - min(kernel[0], max(0, timePadding - frame * stride[0]))
      return sum + 2
        * Double(taps * kernel[1] * kernel[2] * channelPairs * output[1] * output[2])
    }
  }
}

extension KernelContext {
  /// The number of rows in a product, small enough to stay in the cache while all taps are added to them.
  private static let rowsAtOnce = 4096

  /// Computes output += conv(x) + bias without strides, as a sum of matrix products, one per tap of the kernel.
  ///
  /// oneDNN's direct convolution sums all taps and channels one after the other, 13,824 numbers in the largest layer,
  /// which costs more accuracy than parity allows. Its matrix products sum in blocks, and so do the taps here.
  ///
  /// With zeros around the frames, a tap sees the same pixels shifted by a constant number of rows, so each product
  /// reads the padded input in place. The few results that fall between the lines of the frames are discarded.
  fileprivate func addSumOfTaps(
    _ geometry: ConvolutionGeometry, _ x: FrameWindow, weights: UnsafePointer<Float>?, bias: Tensor,
    to output: Tensor
  ) throws {
    let (inputs, outputs) = (geometry.inputChannels, geometry.outputChannels)
    let (height, width) = (geometry.output[1], geometry.output[2])
    let (paddedHeight, paddedWidth) = (geometry.paddedHeight, geometry.paddedWidth)
    let padded = Self.padded(x, geometry)
    let taps = try tapMajor(weights, geometry)
    let results = output.reshaped([output.count / outputs, outputs])
    let linesAtOnce = max(1, min(height, Self.rowsAtOnce / paddedWidth))
    let buffer = Tensor([linesAtOnce * paddedWidth, outputs])
    for frame in 0..<geometry.output[0] {
      // Only zeros precede the first frame, so their taps are left out.
      let firstTap = max(0, geometry.before[0] - frame) * geometry.kernel[1] * geometry.kernel[2]
      for first in stride(from: 0, to: height, by: linesAtOnce) {
        let lines = min(linesAtOnce, height - first)
        let rows = lines * paddedWidth
        for tap in firstTap..<geometry.kernel.reduce(1, *) {
          let (time, rest) = tap.quotientAndRemainder(dividingBy: geometry.kernel[1] * geometry.kernel[2])
          let line = (frame + time - geometry.before[0]) * paddedHeight + first + rest / geometry.kernel[2]
          let start = (line * paddedWidth + rest % geometry.kernel[2]) * inputs
          try product(
            MatrixView(
              padded.elements.baseAddress.map { UnsafeRawPointer($0 + start) }, rows: rows, columns: inputs,
              rowStride: inputs),
            MatrixView(
              taps.elements.baseAddress.map { UnsafeRawPointer($0 + tap * inputs * outputs) }, rows: inputs,
              columns: outputs, rowStride: outputs),
            bias: tap == firstTap ? UnsafePointer(bias.elements.baseAddress) : nil,
            into: MatrixView(
              UnsafeRawPointer(buffer.elements.baseAddress), rows: rows, columns: outputs, rowStride: outputs),
            after: tap == firstTap ? [] : [(.accumulate, nil)])
        }
        for line in 0..<lines {
          let target = (frame * height + first + line) * width
          let source = line * paddedWidth
          Elementwise.add(buffer.rows(source..<source + width), to: results.rows(target..<target + width))
        }
      }
    }
    withExtendedLifetime((padded, taps, bias)) {}
  }

  /// Pads the frames with zeros in space, and appends the few pixels that the last tap reads past the end.
  private static func padded(_ x: FrameWindow, _ geometry: ConvolutionGeometry) -> Tensor {
    if geometry.kernel == [1, 1, 1] { return x.joined() }
    let (height, width, channels) = (geometry.input[1], geometry.input[2], geometry.inputChannels)
    let (paddedHeight, paddedWidth) = (geometry.paddedHeight, geometry.paddedWidth)
    let pixels = x.count * paddedHeight * paddedWidth + geometry.kernel[2] - 1
    let result = Tensor.zeros([pixels, channels])
    for frame in 0..<x.count {
      let source = x[frame]
      parallelRows(height) { lines in
        for y in lines {
          let line = frame * paddedHeight + y + geometry.before[1]
          let target = (line * paddedWidth + geometry.before[2]) * channels
          let values = source.elements[y * width * channels..<(y + 1) * width * channels]
          _ = result.elements[target...].update(fromContentsOf: values)
        }
      }
    }
    return result
  }

  /// Reorders weights from [outputs, inputs, taps] to [taps, inputs, outputs].
  private func tapMajor(_ weights: UnsafePointer<Float>?, _ geometry: ConvolutionGeometry) throws -> Tensor {
    let (inputs, outputs) = (geometry.inputChannels, geometry.outputChannels)
    let taps = geometry.kernel.reduce(1, *)
    let result = Tensor([taps, inputs, outputs])
    let shape = [outputs, inputs, taps]
    let stored = Layout(shape)
    let wanted = Layout(shape, strides: [1, outputs, inputs * outputs])
    let (from, to) = (try stored.descriptor(), try wanted.descriptor())
    let reorder = try primitive(.transposition(from: stored, to: wanted), "weight layout") {
      engine, descriptor in
      bb_reorder_create(&descriptor, engine, from.handle, to.handle)
    }
    try execute(
      reorder,
      [
        Argument(DNNL_ARG_FROM, from, reading: weights),
        Argument(DNNL_ARG_TO, to, UnsafeMutableRawPointer(result.elements.baseAddress)),
      ], "weight layout")
    return result
  }

  /// Returns the layout of channels-last frames in oneDNN's order of dimensions: batch, channels, time, height, width.
  private static func frames(_ extents: [Int], channels: Int) -> Layout {
    let (height, width) = (extents[1], extents[2])
    return Layout(
      [1, channels] + extents,
      strides: [
        extents[0] * height * width * channels, 1, height * width * channels, width * channels, channels,
      ])
  }

  /// Computes a convolution with strides: output += conv(x) + bias.
  fileprivate func convolve(
    _ geometry: ConvolutionGeometry, _ x: Tensor, weights: UnsafePointer<Float>?, bias: Tensor,
    addingTo output: Tensor
  ) throws {
    let sourceLayout = try Self.frames(geometry.input, channels: geometry.inputChannels).descriptor()
    let outputLayout = try Self.frames(geometry.output, channels: geometry.outputChannels).descriptor()
    let biasLayout = try Layout([geometry.outputChannels]).descriptor()
    let weightShape = [geometry.outputChannels, geometry.inputChannels] + geometry.kernel
    let plainWeights = try Layout(weightShape).descriptor()
    let primitive = try primitive(
      .convolution(geometry), "convolution"
    ) { engine, result in
      let anyWeights = try Layout(weightShape).openDescriptor()
      let (strides, before, after) = (
        geometry.stride.map(Int64.init), geometry.before.map(Int64.init), geometry.after.map(Int64.init)
      )
      return try Self.withAttributes([.accumulate]) {
        bb_convolution_create(
          &result, engine, sourceLayout.handle, anyWeights.handle, biasLayout.handle, outputLayout.handle,
          strides, before, after, $0)
      }
    }
    guard let wanted = primitive.layout(of: dnnl_query_weights_md) else {
      throw BenbenError(.internalDefect, "oneDNN failed", at: "convolution", because: "no weights layout")
    }
    let packedCount = wanted.byteCount / MemoryLayout<Float>.stride
    try reorderedWeights.with(count: packedCount) { packed in
      let reorder = try self.primitive(
        .reorder(geometry), "weight layout"
      ) { engine, result in
        bb_reorder_create(&result, engine, plainWeights.handle, wanted.handle)
      }
      try execute(
        reorder,
        [
          Argument(DNNL_ARG_FROM, plainWeights, reading: weights),
          Argument(DNNL_ARG_TO, wanted, UnsafeMutableRawPointer(packed.baseAddress)),
        ], "weight layout")
      try execute(
        primitive,
        [
          Argument(DNNL_ARG_SRC, sourceLayout, reading: UnsafePointer(x.elements.baseAddress)),
          Argument(DNNL_ARG_WEIGHTS, wanted, UnsafeMutableRawPointer(packed.baseAddress)),
          Argument(DNNL_ARG_BIAS, biasLayout, reading: UnsafePointer(bias.elements.baseAddress)),
          Argument(DNNL_ARG_DST, outputLayout, UnsafeMutableRawPointer(output.elements.baseAddress)),
        ], "convolution")
    }
  }
}
