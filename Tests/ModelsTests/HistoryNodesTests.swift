import Files
import Tensors
import TestSupport
import Testing

@testable import Models

/// Keys and values between the timesteps at which they are computed.
struct HistoryNodesTests {
  @Test func nodesLieEvenly() {
    #expect(HistoryNodes.steps(4, of: 10) == [0, 3, 6, 9])
    #expect(HistoryNodes.steps(5, of: 10) == [0, 2, 5, 7, 9])
    #expect(HistoryNodes.steps(2, of: 20) == [0, 19])
    #expect(HistoryNodes.steps(5, of: 5) == [0, 1, 2, 3, 4])
    #expect(HistoryNodes.steps(5, of: 1) == [0])
  }

  /// What is a cubic of the timestep comes back as it is, and nothing of what another text has.
  @Test(arguments: [true, false]) func interpolatesCubics(isRounded: Bool) throws {
    let shape = HistoryShape(layers: 2, width: 3, isRounded: isRounded)
    let (timesteps, counts) = ([900.0, 800, 650, 500, 400], [70, 2])
    let nodes = HistoryNodes(
      timesteps: timesteps, frames: 1, tokenCounts: counts, shape: shape, in: try ScratchFile())
    /// A value for a row of a text in a layer.
    func tensor(_ time: Double, _ layer: Int, _ text: Int, sign: Float) -> Tensor {
      let t = (time - 600) / 300
      let values = (0..<counts[text] * 3).map { index in
        sign * Float((1 + t) * (2 - t) * (0.5 + t) + Double(layer + 3 * text) + 0.25 * Double(index % 7))
      }
      return Tensor([counts[text], 3], values)
    }
    let recording = nodes.recording(over: Array(repeating: nil, count: timesteps.count))
    #expect(recording.knownFrames == 0)
    for (sample, (time, text)) in timesteps.flatMap({ time in [(time, 0), (time, 1)] }).enumerated() {
      for layer in 0..<2 {
        try recording.starting(at: sample).store(
          layer: layer, sample: 0, key: tensor(time, layer, text, sign: 1),
          value: tensor(time, layer, text, sign: -1))
      }
    }
    for time in [900.0, 870, 740, 650, 610, 430, 400] {
      let known = nodes.interpolated(at: time)
      #expect(known.knownFrames == 1)
      for (layer, text) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
        let (key, value) = (Tensor([counts[text], 3]), Tensor([counts[text], 3]))
        try known.load(layer: layer, sample: text, key: key, value: value)
        for (ours, sign) in [(key, Float(1)), (value, -1)] {
          let metrics = ErrorMetrics(ours.array, reference: tensor(time, layer, text, sign: sign).array)
          #expect(metrics.nmse < (isRounded ? 1e-5 : 1e-12))
        }
      }
    }
  }
}
