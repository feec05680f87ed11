import Foundation
import Tensors

/// The number of threads that an NVIDIA GPU runs at once, which decides which random number each element of a large
/// tensor gets.
public struct TorchGPU: Equatable, Sendable {
  /// The number of streaming multiprocessors, and of threads that each holds (`multiProcessorCount`,
  /// `maxThreadsPerMultiProcessor`).
  public let multiprocessors: Int, threadsEach: Int

  private static let known: [(name: String, gpu: TorchGPU)] = [
    ("V100", TorchGPU(80, 2048)), ("A100", a100), ("H100", TorchGPU(132, 2048)),
    ("H100-PCIe", TorchGPU(114, 2048)), ("H200", TorchGPU(132, 2048)), ("B200", TorchGPU(148, 2048)),
    ("T4", TorchGPU(40, 1024)), ("A10", TorchGPU(72, 1536)), ("A10G", TorchGPU(80, 1536)),
    ("A6000", TorchGPU(84, 1536)), ("L4", TorchGPU(58, 1536)), ("L40S", TorchGPU(142, 1536)),
    ("RTX3090", TorchGPU(82, 1536)), ("RTX4090", TorchGPU(128, 1536)), ("RTX5090", TorchGPU(170, 1536)),
  ]

  /// An A100.
  public static let a100 = TorchGPU(108, 2048)

  /// The names of the known GPUs.
  public static var names: [String] { known.map(\.name) }

  private init(_ multiprocessors: Int, _ threadsEach: Int) {
    self.multiprocessors = multiprocessors
    self.threadsEach = threadsEach
  }

  /// Creates a GPU by its name, or any by multiprocessors × threads (`108x2048`); nil when the text is neither.
  public init?(_ text: String) {
    if let gpu = Self.known.first(where: { $0.name.lowercased() == text.lowercased() })?.gpu {
      self = gpu
      return
    }
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    guard parts.count == 2, let multiprocessors = Int(parts[0]), let threads = Int(parts[1]),
      1...1024 ~= multiprocessors, 256...4096 ~= threads
    else { return nil }
    self.init(multiprocessors, threads)
  }
}
