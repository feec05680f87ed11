import Foundation
import Tensors

/// How many threads an NVIDIA GPU runs at once: on that depends which random number falls to which element of a large tensor.
public struct TorchGPU: Equatable, Sendable {
  /// Streaming multiprocessors, and the threads that each holds (`multiProcessorCount`, `maxThreadsPerMultiProcessor`).
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

  /// The GPUs that are known by name.
  public static var names: [String] { known.map(\.name) }

  private init(_ multiprocessors: Int, _ threadsEach: Int) {
    self.multiprocessors = multiprocessors
    self.threadsEach = threadsEach
  }

  /// A GPU by its name, or any as multiprocessors × threads (`108x2048`).
  public init?(_ text: String) {
    if let gpu = Self.known.first(where: { $0.name.lowercased() == text.lowercased() })?.gpu {
      self = gpu
      return
    }
    guard let numbers = text.integers(separatedBy: { $0 == "x" }), numbers.count == 2, 1...1024 ~= numbers[0],
      256...4096 ~= numbers[1]
    else { return nil }
    self.init(numbers[0], numbers[1])
  }
}

/// PyTorch's CUDA generator: Philox4x32-10 and Box–Muller, four numbers to a thread and a turn (`distribution_nullary_kernel`,
/// `aten/src/ATen/native/cuda/DistributionTemplates.h`; `curand_normal4`).
///
/// Equal to what GPUs drew up to the last bits: those compute sine and cosine approximately (`__sincosf`).
struct TorchCUDAGenerator {
  private static let threadsOfBlock = 256
  private static let numbersOfTurn = 4

  private let key: (UInt32, UInt32)
  private let gpu: TorchGPU
  /// Turns that were taken; every thread's counter goes on from here.
  private var turn: UInt64 = 0

  init(seed: UInt64, gpu: TorchGPU) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    self.gpu = gpu
  }

  /// Fills a whole tensor.
  mutating func fill(_ values: UnsafeMutableBufferPointer<Float>) {
    let size = Self.threadsOfBlock
    let blocks = min((values.count + size - 1) / size, gpu.multiprocessors * (gpu.threadsEach / size))
    let threads = blocks * size
    for start in stride(from: 0, to: values.count, by: threads * Self.numbersOfTurn) {
      for thread in 0..<min(threads, values.count - start) {
        let counter = SIMD4(
          UInt32(truncatingIfNeeded: turn), UInt32(truncatingIfNeeded: turn >> 32),
          UInt32(truncatingIfNeeded: thread), 0)
        let normal = Self.normal(Philox.random(counter, key: key))
        for (number, place) in stride(from: start + thread, to: values.count, by: threads).prefix(4)
          .enumerated()
        {
          values[place] = normal[number]
        }
      }
      turn += 1
    }
  }

  /// Two pairs of normal numbers.
  private static func normal(_ random: SIMD4<UInt32>) -> SIMD4<Float> {
    let (first, second) = (pair(random.x, random.y), pair(random.z, random.w))
    return SIMD4(first.0, first.1, second.0, second.1)
  }

  /// `_curand_box_muller`: uniform numbers in (0, 1], of which the second is an angle.
  private static func pair(_ x: UInt32, _ y: UInt32) -> (Float, Float) {
    let unit: Float = 2.3283064e-10
    let angleUnit: Float = 2.3283064e-10 * 6.2831855
    let radius = (-2 * log(Float(x) * unit + unit / 2)).squareRoot()
    let angle = Float(y) * angleUnit + angleUnit / 2
    return (radius * sin(angle) + 0, radius * cos(angle) + 0)
  }
}

/// Philox4x32-10 (Salmon and others, "Parallel Random Numbers: As Easy as 1, 2, 3", 2011).
enum Philox {
  private static let rounds = 10

  static func random(_ counter: SIMD4<UInt32>, key: (UInt32, UInt32)) -> SIMD4<UInt32> {
    var (state, key) = (counter, key)
    for _ in 0..<rounds {
      let first = state.x.multipliedFullWidth(by: 0xD251_1F53)
      let second = state.z.multipliedFullWidth(by: 0xCD9E_8D57)
      state = SIMD4(second.high ^ state.y ^ key.0, second.low, first.high ^ state.w ^ key.1, first.low)
      key = (key.0 &+ 0x9E37_79B9, key.1 &+ 0xBB67_AE85)
    }
    return state
  }
}
