/// The work of a transformer's calls, in a unit of its own: the time that calls of one transformer take is about
/// proportional to it.
///
/// A block multiplies every token that is computed with about 12·width² weights, and with the keys and values of every token
/// that it attends to: 24·width² + 4·width·tokens operations, or 6·width + tokens up to a factor.
package struct WorkEstimate {
  private let width: Int
  private let textCounts: [Int]

  /// Creates an estimate.
  ///
  /// - Parameters:
  ///   - width: the width of the transformer.
  ///   - textCounts: the number of text tokens in each sample.
  package init(width: Int, textCounts: [Int]) {
    self.width = width
    self.textCounts = textCounts
  }

  /// Returns the work of each call of a run.
  ///
  /// - Parameters:
  ///   - reusesHistory: whether the keys and values of finished latents are kept (``HistoryCache``).
  ///   - historyNodes: the number of nodes of the approximation (``HistoryNodes``); nil for none.
  package func work(of calls: [TransformerCall], reusesHistory: Bool, historyNodes: Int? = nil) -> [Double] {
    // What a call knows is what the call of the same stage and step of the latent before has kept.
    struct Key: Hashable { let stage: Int, step: Int, stepCount: Int }
    var kept: [Key: Int] = [:]
    return calls.map { call in
      let key = Key(stage: call.stage, step: call.step, stepCount: call.stepCount)
      let known = reusesHistory ? kept[key] ?? 0 : 0
      kept[key] = call.coarseFrames
      let nodes = call.historyShapes.isEmpty ? nil : historyNodes
      return textCounts.reduce(0) { sum, text in
        let tokens = text + call.latentTokens
        let knownTokens = known == 0 ? 0 : text + known * call.coarseFrameTokens
        guard let nodes else { return sum + work(of: tokens - knownTokens, among: tokens) }
        let prefix = tokens - call.noisyTokens
        let ofNodes = call.startsStage ? Double(min(nodes, call.stepCount)) : 0
        return sum + work(of: call.noisyTokens, among: tokens)
          + ofNodes * work(of: prefix - knownTokens, among: prefix)
      }
    }
  }

  /// The work of computing some tokens of a sequence, each of which attends to all.
  private func work(of computed: Int, among tokens: Int) -> Double {
    Double(computed) * Double(6 * width + tokens)
  }
}
