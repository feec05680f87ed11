import Files
import Foundation
import Tensors
import TestSupport
import Testing

@testable import Models

/// Keys and values between the steps at which they are computed.
struct HistoryNodesTests {
  /// What comes back are the weighted sums of what was stored, and nothing of what another text or layer has.
  @Test(arguments: [true, false]) func sumsTheNodes(isRounded: Bool) throws {
    let shape = HistoryShape(layers: 2, width: 3, isRounded: isRounded)
    let (times, counts) = ([-1, -0.9, -0.5, 0.2, 0.3, 0.7, 1], [70, 2])
    let chosen = InterpolationNodes(of: times.count, count: 4) {
      $0(Tensor([times.count, 1], times.map { Float(exp($0)) }))
    }
    #expect(chosen.steps.count == 4)
    let nodes = HistoryNodes(
      chosen, frames: 1, tokenCounts: counts, shape: shape, in: try ScratchFile())
    /// A value for a row of a text in a layer.
    func tensor(_ step: Int, _ layer: Int, _ text: Int, sign: Float) -> Tensor {
      let t = times[step]
      let values = (0..<counts[text] * 3).map { index in
        sign * Float((1 + t) * (2 - t) * (0.5 + t) + Double(layer + 3 * text) + 0.25 * Double(index % 7))
      }
      return Tensor([counts[text], 3], values)
    }
    let recording = nodes.recording(over: Array(repeating: nil, count: 4))
    #expect(recording.knownFrames == 0)
    for (sample, (step, text)) in chosen.steps.flatMap({ step in [(step, 0), (step, 1)] }).enumerated() {
      for layer in 0..<2 {
        try recording.starting(at: sample).store(
          layer: layer, sample: 0, key: tensor(step, layer, text, sign: 1),
          value: tensor(step, layer, text, sign: -1))
      }
    }
    func sum(_ step: Int, _ layer: Int, _ text: Int, sign: Float) -> [Float] {
      let nodes = zip(chosen.steps, chosen.weights[step]).map { node, weight in
        tensor(node, layer, text, sign: sign).map { Float(weight) * $0 }.array
      }
      return nodes[0].indices.map { index in nodes.reduce(0) { $0 + $1[index] } }
    }
    for step in times.indices {
      let known = nodes.interpolated(at: step)
      #expect(known.knownFrames == 1)
      for (layer, text) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let (key, value) = (Tensor([counts[text], 3]), Tensor([counts[text], 3]))
        try known.load(layer: layer, sample: text, key: key, value: value)
        for (ours, sign) in [(key, Float(1)), (value, -1)] {
          let metrics = ErrorMetrics(ours.array, reference: sum(step, layer, text, sign: sign))
          #expect(metrics.nmse < (isRounded ? 1e-5 : 1e-12))
        }
      }
    }
  }
}
