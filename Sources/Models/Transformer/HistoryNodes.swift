import Files
import Kernels
import Tensors

/// The keys and values of a stage's text and history at a few of its steps, the nodes, and at the others sums of theirs: an
/// approximation.
///
/// From step to step only the modulation moves them. So the nodes and their weights are those that come nearest to the
/// modulation of every step (``PyramidTransformer/forEachModulation(timesteps:pooled:in:_:)``), which is known beforehand.
package final class HistoryNodes {
  /// The nodes as samples of one batch, text after text: what computes them.
  private struct Recording: CallHistory {
    let nodes: HistoryNodes
    /// What finished units have left of every node.
    let cached: [HistoryCache.Call?]
    let knownFrames: Int

    func load(layer: Int, sample: Int, key: Tensor, value: Tensor) throws {
      let (node, text) = nodes.place(of: sample)
      try cached[node]?.load(layer: layer, sample: text, key: key, value: value)
    }

    func store(layer: Int, sample: Int, key: Tensor, value: Tensor) throws {
      let (node, text) = nodes.place(of: sample)
      cached[node]?.store(layer: layer, sample: text, key: key, value: value)
      for (tensor, offset) in zip([key, value], nodes.offsets(layer: layer, node: node, text: text)) {
        try HistoryRows.write(tensor, isRounded: nodes.shape.isRounded) {
          try nodes.file.write($1, at: offset + $0 * nodes.shape.rowSize)
        }
      }
    }
  }

  /// The nodes' weights at one step.
  private struct Interpolation: CallHistory {
    let nodes: HistoryNodes
    let weights: [(node: Int, weight: Float)]
    var knownFrames: Int { nodes.frames }

    func load(layer: Int, sample text: Int, key: Tensor, value: Tensor) throws {
      let offsets = weights.map { nodes.offsets(layer: layer, node: $0.node, text: text) }
      for (index, tensor) in [key, value].enumerated() {
        try HistoryRows.readSum(
          nodes.tokenCounts[text], of: tensor, weights: weights.map(\.weight),
          isRounded: nodes.shape.isRounded
        ) {
          try nodes.file.read(at: offsets[$0][index] + $1 * nodes.shape.rowSize, into: $2)
        }
      }
    }

    func store(layer: Int, sample: Int, key: Tensor, value: Tensor) {}
  }

  private let nodes: InterpolationNodes
  private let frames: Int
  private let tokenCounts: [Int]
  private let shape: HistoryShape
  private let file: ScratchFile

  /// Creates nodes without keys and values.
  ///
  /// - Parameters:
  ///   - nodes: which steps of the stage are nodes.
  ///   - frames: the number of latent frames of the history.
  ///   - tokenCounts: the number of tokens of text and history, for each text.
  ///   - file: what holds the keys and values; those of earlier nodes are overwritten.
  init(
    _ nodes: InterpolationNodes, frames: Int, tokenCounts: [Int], shape: HistoryShape, in file: ScratchFile
  ) {
    self.nodes = nodes
    self.frames = frames
    self.tokenCounts = tokenCounts
    self.shape = shape
    self.file = file
  }

  /// Returns what records the keys and values of all nodes, whose samples are all texts of the first, then all of the second.
  ///
  /// - Parameter cached: what finished units have left of every node.
  package func recording(over cached: [HistoryCache.Call?]) -> any CallHistory {
    Recording(nodes: self, cached: cached, knownFrames: cached.map { $0?.knownFrames ?? 0 }.min() ?? 0)
  }

  /// Returns the keys and values at one of the stage's steps.
  package func interpolated(at step: Int) -> any CallHistory {
    Interpolation(
      nodes: self,
      weights: nodes.weights[step].enumerated().filter { $0.element != 0 }.map {
        ($0.offset, Float($0.element))
      })
  }

  private func place(of sample: Int) -> (node: Int, text: Int) {
    (sample / tokenCounts.count, sample % tokenCounts.count)
  }

  /// Returns the offset of a text's keys, and of its values behind them.
  private func offsets(layer: Int, node: Int, text: Int) -> [Int] {
    let all = tokenCounts.reduce(0, +)
    let before = (layer * nodes.steps.count + node) * all + tokenCounts[..<text].reduce(0, +)
    let start = 2 * before * shape.rowSize
    return [start, start + tokenCounts[text] * shape.rowSize]
  }
}
