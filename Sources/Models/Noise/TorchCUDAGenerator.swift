import Foundation
import Tensors

/// PyTorch's CUDA generator: Philox4x32-10 and Box–Muller, four numbers per thread and round
/// (`distribution_nullary_kernel`, `aten/src/ATen/native/cuda/DistributionTemplates.h`; `curand_normal4`).
///
/// Equal to the draws of GPUs except in the last bits: GPUs compute sine and cosine approximately (`__sincosf`).
struct TorchCUDAGenerator {
  private static let threadsOfBlock = 256
  private static let numbersOfTurn = 4

  private let key: (UInt32, UInt32)
  private let gpu: TorchGPU
  /// The number of rounds drawn so far, from which every thread's counter continues.
  private var turn: UInt64 = 0

  init(seed: UInt64, gpu: TorchGPU) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    self.gpu = gpu
  }

  /// Fills a whole tensor.
  ///
  /// - Throws: `CancellationError` when the calling task was cancelled.
  mutating func fill(_ values: UnsafeMutableBufferPointer<Float>) throws {
    let size = Self.threadsOfBlock
    let blocks = min((values.count + size - 1) / size, gpu.multiprocessors * (gpu.threadsEach / size))
    let threads = blocks * size
    for start in stride(from: 0, to: values.count, by: threads * Self.numbersOfTurn) {
      try Task.checkCancellation()
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

  /// Returns two pairs of normal numbers.
  private static func normal(_ random: SIMD4<UInt32>) -> SIMD4<Float> {
    let (first, second) = (pair(random.x, random.y), pair(random.z, random.w))
    return SIMD4(first.0, first.1, second.0, second.1)
  }

  /// Returns a pair of normal numbers (`_curand_box_muller`) from uniform numbers in (0, 1], the second of which is an
  /// angle.
  private static func pair(_ x: UInt32, _ y: UInt32) -> (Float, Float) {
    let unit: Float = 2.3283064e-10
    let angleUnit: Float = 2.3283064e-10 * 6.2831855
    let radius = (-2 * log(Float(x) * unit + unit / 2)).squareRoot()
    let angle = Float(y) * angleUnit + angleUnit / 2
    return (radius * sin(angle) + 0, radius * cos(angle) + 0)
  }
}
