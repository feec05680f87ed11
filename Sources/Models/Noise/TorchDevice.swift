import Tensors

/// What draws the noise of a seed in PyTorch.
public enum TorchDevice: Equatable, Sendable {
  /// The CPU's generator (``TorchCPUGenerator``).
  case cpu
  /// A GPU's generator (``TorchCUDAGenerator``): what it draws depends on how many threads the GPU runs at once.
  case cuda(TorchGPU)
}
