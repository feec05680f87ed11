import Tensors

/// The device on which PyTorch draws the noise of a seed.
public enum TorchDevice: Equatable, Sendable {
  /// The CPU's generator (`TorchCPUGenerator`).
  case cpu
  /// A GPU's generator (`TorchCUDAGenerator`), whose draws depend on how many threads the GPU runs at once.
  case cuda(TorchGPU)
}
