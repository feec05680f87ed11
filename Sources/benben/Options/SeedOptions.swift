import ArgumentParser
import Models
import PyramidFlow

/// A seed, and what draws from it.
struct SeedOptions: ParsableArguments {
  @Option(
    parsing: .unconditional, help: "The seed of the noise: a whole number from 0 to 2⁶⁴ − 1. (default: 0)")
  var seed: UInt64?

  @Option(help: "Draw as PyTorch does on this device: torch-cpu or torch-cuda. (default: torch-cpu)")
  var rng: Generator?

  @Option(help: "The type that the official run computes in, and draws: f32 or bf16. (default: f32)")
  var rngType: DrawnType?

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
    if rng != .torchCUDA, gpu != nil { throw ValidationError("--gpu is for --rng torch-cuda") }
  }

  /// The noise of the seed; what is not said is as in another run, or the default.
  func noise(like other: Noise.Seed = Noise.Seed(0)) -> Noise {
    let device: TorchDevice =
      switch rng {
      case nil: other.device
      case .torchCPU: .cpu
      case .torchCUDA: .cuda(gpu ?? .a100)
      }
    return Noise(
      Noise.Seed(
        seed ?? other.seed, device: device, isBFloat16: rngType.map { $0 == .bf16 } ?? other.isBFloat16))
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
