import ArgumentParser
import Models
import PyramidFlow

/// A seed, and what draws from it.
struct SeedOptions: ParsableArguments {
  @Option(help: "The seed of the noise.")
  var seed: UInt64 = 0

  @Option(help: "Draw as PyTorch does on this device: torch-cpu or torch-cuda.")
  var rng: Generator = .torchCPU

  @Option(help: "The type that the official run computes in, and draws: f32 or bf16.")
  var rngType: DrawnType = .f32

  @Option(
    help: """
      The GPU that torch-cuda stands for, since large draws depend on it: \(TorchGPU.names.joined(separator: ", ")), or \
      MULTIPROCESSORSxTHREADS, such as 108x2048. (default: A100)
      """)
  var gpu: TorchGPU?

  /// A generator of PyTorch.
  enum Generator: String, ExpressibleByArgument, CaseIterable {
    case torchCPU = "torch-cpu"
    case torchCUDA = "torch-cuda"
  }

  /// A type of noise.
  enum DrawnType: String, ExpressibleByArgument, CaseIterable {
    case f32, bf16
  }

  func validate() throws {
    if rng == .torchCPU, gpu != nil { throw ValidationError("--gpu is for --rng torch-cuda") }
  }

  /// The GPU whose draws are repeated.
  private var chosenGPU: TorchGPU? { rng == .torchCUDA ? gpu ?? .a100 : nil }

  /// The noise of the seed.
  var noise: Noise {
    .seed(seed, device: chosenGPU.map(TorchDevice.cuda) ?? .cpu, isBFloat16: rngType == .bf16)
  }

  /// What a user should know who left the choice of a GPU to us.
  var remark: String? {
    guard rng == .torchCUDA, gpu == nil else { return nil }
    return "noise as an A100 draws it; other GPUs draw large tensors otherwise (--gpu NAME)"
  }
}

extension TorchGPU: ExpressibleByArgument {
  /// A GPU as ``TorchGPU/init(_:)`` reads it.
  public init?(argument: String) { self.init(argument) }
}
