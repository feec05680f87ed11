import CKernelLoops
import Tensors

/// Convolution kernels, transformed and rounded to 16 bits as the right factors of `bb_winograd_product`.
final class WinogradKernels {
  private static let panel = Int(BB_WINOGRAD_PANEL)

  /// The convolution's output channels that it holds, and the products in time.
  private(set) var outputs = 0..<0
  private var times = 0..<0
  /// Panels [times, positions, outputs, inputs], the outputs rounded up to whole panels and the inputs to an even number.
  private let panels: ScratchBuffer<Int16>
  /// The scales of the outputs [times, positions, outputs].
  private let factors: ScratchBuffer<Float>
  /// The number of input channels.
  private(set) var inputs = 0

  /// Creates an object without kernels, for different ones in turn.
  init() { (panels, factors) = (ScratchBuffer(), ScratchBuffer()) }

  /// Transforms all kernels [outputs, inputs, 3, 3, 3], to be kept.
  init(_ weight: Weight) {
    let (outputs, inputs) = (weight.shape[0], weight.shape[1])
    let rows = outputs.roundedUp(to: Self.panel) * WinogradTransform.times * WinogradTransform.positions
    panels = ScratchBuffer(count: rows * inputs.roundedUp(to: 2), isLasting: true)
    factors = ScratchBuffer(count: rows, isLasting: true)
    set(weight, outputs: 0..<outputs, times: 0..<WinogradTransform.times)
  }

  /// The bytes that one output takes.
  static func size(inputs: Int) -> Int {
    WinogradTransform.times * WinogradTransform.positions * inputs.roundedUp(to: 2)
      * MemoryLayout<Int16>.stride
  }

  /// The number of outputs, rounded up to whole panels.
  var paddedOutputs: Int { outputs.count.roundedUp(to: Self.panel) }
  private var positionSize: Int { paddedOutputs * inputs.roundedUp(to: 2) }

  /// Transforms some of the kernels [outputs, inputs, 3, 3, 3] for some of the products in time.
  func set(_ weight: Weight, outputs: Range<Int>, times: Range<Int>) {
    (self.outputs, self.times, inputs) = (outputs, times, weight.shape[1])
    let positions = WinogradTransform.positions
    panels.reserve(count: times.count * positions * positionSize)
    factors.reserve(count: times.count * positions * paddedOutputs)
    parallelRows(paddedOutputs / Self.panel) { part in
      let scratch = ScratchBuffer<Float>(count: positions * inputs * Self.panel)
      let rows = ScratchBuffer<Float>(), columns = ScratchBuffer<Float>(count: weight.rowLength * Self.panel)
      for first in part.map({ $0 * Self.panel }) {
        let range =
          outputs.lowerBound + first..<min(outputs.lowerBound + first + Self.panel, outputs.upperBound)
        rows.with(count: range.count * weight.rowLength) { values in
          weight.convertToFloat(rows: range, into: values)
          bb_transpose_rows(values.baseAddress, range.count, weight.rowLength, columns.base)
        }
        for time in times {
          let index = (time - times.lowerBound) * positions
          bb_winograd_weights(
            columns.base, inputs, time, scratch.base,
            panels.base + index * positionSize + first * inputs.roundedUp(to: 2), positionSize,
            factors.base + index * paddedOutputs + first, paddedOutputs)
        }
      }
    }
  }

  /// The right factor of the product at one of all positions, and the scales of its columns.
  func factor(at position: Int) -> (panels: UnsafePointer<Int16>, scales: UnsafePointer<Float>) {
    let index = position - times.lowerBound * WinogradTransform.positions
    return (
      UnsafePointer(panels.base + index * positionSize), UnsafePointer(factors.base + index * paddedOutputs)
    )
  }
}
