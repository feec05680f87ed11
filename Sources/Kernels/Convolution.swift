import CDNNL
import Tensors

/// The shapes of a 3-D convolution over channels-last frames; equal ones share a primitive.
struct ConvolutionGeometry: Hashable {
  let inputChannels: Int, outputChannels: Int
  /// Time, height, width.
  let input: [Int], output: [Int], kernel: [Int], stride: [Int]
  /// Zeros before and after, per axis.
  let before: [Int], after: [Int]
}

/// A 3-D convolution (`torch.nn.Conv3d`) over frames [time, height, width, channels], one sample.
public struct Convolution3D {
  /// Kernel extents: time, height, width.
  public let kernel: [Int]
  private let stride: [Int]
  private let weight: Weight
  private let bias: Weight

  /// A convolution with a weight of shape [outputs, inputs, time, height, width] and a bias of shape [outputs].
  public init(weight: Weight, bias: Weight, stride: [Int] = [1, 1, 1]) {
    precondition(weight.shape.count == 5 && bias.shape == [weight.shape[0]] && stride.count == 3)
    kernel = Array(weight.shape[2...])
    self.stride = stride
    self.weight = weight
    self.bias = bias
  }

  /// Convolves frames, with zeros around them in space as the kernel needs to keep the size ("same"), and `timePadding`
  /// frames of zeros in front.
  ///
  /// - Parameter residual: when given, the result is added to it, in place, and it is returned.
  public func callAsFunction(
    _ x: Tensor, timePadding: Int, addingTo residual: Tensor? = nil, in context: KernelContext
  ) throws -> Tensor {
    let channels = weight.shape[1]
    precondition(x.shape.count == 4 && x.shape[3] == channels, "\(x.shape) into \(weight.shape)")
    let padding = [timePadding, kernel[1] / 2, kernel[2] / 2]
    let after = [0, kernel[1] / 2, kernel[2] / 2]
    let extents = Array(x.shape[..<3])
    let outputExtents = (0..<3).map { axis -> Int in
      let padded = extents[axis] + padding[axis] + after[axis]
      return (padded - kernel[axis]) / stride[axis] + 1
    }
    let output = residual ?? Tensor(outputExtents + [weight.shape[0]])
    precondition(output.shape == outputExtents + [weight.shape[0]])
    let geometry = ConvolutionGeometry(
      inputChannels: channels, outputChannels: weight.shape[0], input: extents, output: outputExtents,
      kernel: kernel, stride: stride, before: padding, after: after)
    let bias = bias.tensor()
    try weight.withFloats(scratch: context.weightScratch) { weights in
      try context.convolve(
        geometry, source: UnsafePointer(x.elements.baseAddress), weights: weights.baseAddress,
        bias: UnsafePointer(bias.elements.baseAddress), addsResidual: residual != nil,
        destination: output.elements.baseAddress)
    }
    withExtendedLifetime(bias) {}
    return output
  }
}

extension KernelContext {
  /// oneDNN's dimension order is batch, channels, time, height, width; the strides make it channels-last.
  private static func frames(_ extents: [Int], channels: Int) -> Layout {
    let (height, width) = (extents[1], extents[2])
    return Layout(
      [1, channels] + extents,
      strides: [
        extents[0] * height * width * channels, 1, height * width * channels, width * channels, channels,
      ])
  }

  fileprivate func convolve(
    _ geometry: ConvolutionGeometry, source: UnsafePointer<Float>?, weights: UnsafePointer<Float>?,
    bias: UnsafePointer<Float>?, addsResidual: Bool, destination: UnsafeMutablePointer<Float>?
  ) throws {
    var sourceLayout = try Self.frames(geometry.input, channels: geometry.inputChannels).descriptor()
    var outputLayout = try Self.frames(geometry.output, channels: geometry.outputChannels).descriptor()
    var biasLayout = try Layout([geometry.outputChannels]).descriptor()
    let weightShape = [geometry.outputChannels, geometry.inputChannels] + geometry.kernel
    var plainWeights = try Layout(weightShape).descriptor()
    let primitive = try primitive(
      .convolution(geometry, addsResidual: addsResidual), "convolution"
    ) { engine, result in
      var anyWeights = dnnl_memory_desc_t()
      try dnnl(
        dnnl_memory_desc_init_by_tag(
          &anyWeights, 5, weightShape.map(Int64.init), dnnl_f32, dnnl_format_tag_any),
        "convolution")
      var operation = dnnl_convolution_desc_t()
      try dnnl(
        dnnl_convolution_forward_desc_init(
          &operation, dnnl_forward_inference, dnnl_convolution_direct, &sourceLayout, &anyWeights,
          &biasLayout,
          &outputLayout, geometry.stride.map(Int64.init), geometry.before.map(Int64.init),
          geometry.after.map(Int64.init)),
        "convolution")
      return try Self.withAttributes(addsResidual ? [.accumulate] : []) {
        dnnl_primitive_desc_create(&result, &operation, $0, engine, nil)
      }
    }
    guard var wanted = primitive.wantedLayout(of: dnnl_query_weights_md) else {
      throw BenbenError(.internalDefect, "oneDNN failed", at: "convolution", because: "no weights layout")
    }
    let packedCount = dnnl_memory_desc_get_size(&wanted) / MemoryLayout<Float>.stride
    try packedScratch.with(count: packedCount) { packed in
      let reorder = try self.primitive(
        .reorder(geometry, addsResidual: addsResidual), "weight layout"
      ) { engine, result in
        dnnl_reorder_primitive_desc_create(&result, &plainWeights, engine, &wanted, engine, nil)
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
          Argument(DNNL_ARG_SRC, sourceLayout, reading: source),
          Argument(DNNL_ARG_WEIGHTS, wanted, UnsafeMutableRawPointer(packed.baseAddress)),
          Argument(DNNL_ARG_BIAS, biasLayout, reading: bias),
          Argument(DNNL_ARG_DST, outputLayout, UnsafeMutableRawPointer(destination)),
        ], "convolution")
    }
  }

  /// An activation function over all elements, in place.
  public func apply(_ activation: Activation, to x: Tensor) throws {
    if x.count == 0 { return }
    var layout = try Layout([x.count]).descriptor()
    let primitive = try primitive(.elementwise(activation, count: x.count), "activation") { engine, result in
      let (kind, alpha) = activation.algorithm
      var operation = dnnl_eltwise_desc_t()
      try dnnl(
        dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_inference, kind, &layout, alpha, 0),
        "activation")
      return dnnl_primitive_desc_create(&result, &operation, nil, engine, nil)
    }
    let memory = UnsafeMutableRawPointer(x.elements.baseAddress)
    try execute(
      primitive, [Argument(DNNL_ARG_SRC, layout, memory), Argument(DNNL_ARG_DST, layout, memory)],
      "activation")
  }
}
