import Kernels
import Tensors

/// A residual block of two convolutions with a shortcut (`CausalResnetBlock3D`).
struct CausalResidualBlock: CausalStage {
  private let norm1: NormWeights, norm2: NormWeights
  private let convolution1: CausalConvolution, convolution2: CausalConvolution
  private let shortcut: CausalConvolution?
  private let groups: Int

  init(_ inputs: Int, _ outputs: Int, groups: Int, _ scope: WeightScope) throws {
    norm1 = try scope.norm("norm1", inputs)
    convolution1 = try CausalConvolution("conv1", inputs, outputs, scope)
    norm2 = try scope.norm("norm2", outputs)
    convolution2 = try CausalConvolution("conv2", outputs, outputs, scope)
    shortcut =
      inputs == outputs ? nil : try CausalConvolution("conv_shortcut", inputs, outputs, kernel: 1, scope)
    self.groups = groups
  }

  /// Consumes x: without a shortcut convolution the result is added to it in place.
  func callAsFunction(_ x: Tensor, cache: TemporalCache, in context: KernelContext) throws -> Tensor {
    var hidden = normalizedAndActivated(x, norm1, groups: groups)
    hidden = try convolution1(hidden, cache: cache, in: context)
    hidden = normalizedAndActivated(hidden, norm2, groups: groups)
    let residual = try shortcut.map { try $0(x, cache: cache, in: context) } ?? x
    return try convolution2(hidden, cache: cache, addingTo: residual, in: context)
  }
}
