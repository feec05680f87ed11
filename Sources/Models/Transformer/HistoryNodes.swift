import Files
import Kernels
import Tensors

/// The keys and values of a stage's text and history at a few of its timesteps, the nodes, and interpolated between them: an
/// approximation, since only the timestep's modulation moves them.
///
/// Between nodes they are those of the polynomial through the four nearest nodes.
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

  /// The nodes' weights at one timestep.
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

  private let timesteps: [Double]
  private let frames: Int
  private let tokenCounts: [Int]
  private let shape: HistoryShape
  private let file: ScratchFile

  /// Creates nodes without keys and values.
  ///
  /// - Parameters:
  ///   - timesteps: the nodes' timesteps, in the order of the steps.
  ///   - frames: the number of latent frames of the history.
  ///   - tokenCounts: the number of tokens of text and history, for each text.
  ///   - file: what holds the keys and values; those of earlier nodes are overwritten.
  package init(
    timesteps: [Double], frames: Int, tokenCounts: [Int], shape: HistoryShape, in file: ScratchFile
  ) {
    self.timesteps = timesteps
    self.frames = frames
    self.tokenCounts = tokenCounts
    self.shape = shape
    self.file = file
  }

  /// Returns the indices of the steps that are nodes: the first, the last, and others evenly between them.
  package static func steps(_ count: Int, of stepCount: Int) -> [Int] {
    guard count < stepCount else { return Array(0..<stepCount) }
    return (0..<count).map { ($0 * (stepCount - 1) + (count - 1) / 2) / (count - 1) }
  }

  /// Returns what records the keys and values of all nodes, whose samples are all texts of the first, then all of the second.
  ///
  /// - Parameter cached: what finished units have left of every node.
  package func recording(over cached: [HistoryCache.Call?]) -> any CallHistory {
    Recording(nodes: self, cached: cached, knownFrames: cached.map { $0?.knownFrames ?? 0 }.min() ?? 0)
  }

  /// Returns the keys and values at a timestep: those of a node, or those of the polynomial through the nodes around it.
  package func interpolated(at timestep: Double) -> any CallHistory {
    if let node = timesteps.firstIndex(of: timestep) {
      return Interpolation(nodes: self, weights: [(node, 1)])
    }
    let near = timesteps.indices.sorted {
      abs(timesteps[$0] - timestep) < abs(timesteps[$1] - timestep)
    }.prefix(Self.nearest)
    return Interpolation(
      nodes: self,
      weights: near.map { node in
        let others = near.filter { $0 != node }
        let weight = others.reduce(1.0) {
          $0 * (timestep - timesteps[$1]) / (timesteps[node] - timesteps[$1])
        }
        return (node, Float(weight))
      })
  }

  private static let nearest = 4

  private func place(of sample: Int) -> (node: Int, text: Int) {
    (sample / tokenCounts.count, sample % tokenCounts.count)
  }

  /// Returns the offset of a text's keys, and of its values behind them.
  private func offsets(layer: Int, node: Int, text: Int) -> [Int] {
    let all = tokenCounts.reduce(0, +)
    let before = (layer * timesteps.count + node) * all + tokenCounts[..<text].reduce(0, +)
    let start = 2 * before * shape.rowSize
    return [start, start + tokenCounts[text] * shape.rowSize]
  }
}
