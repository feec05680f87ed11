import Models

/// How many of a run's calls are compared one by one.
public enum CallSample: Equatable, Sendable {
  /// All that were recorded.
  case all
  /// At most so many, spread over units, stages and steps; the same for the same run.
  case calls(Int)
  /// As many as take about so long, by the time that the first one takes.
  case seconds(Double)

  /// Returns the indices of `count` of `total` calls, at places of equal parts of the run that follow the golden ratio, so
  /// that they do not fall into step with stages; the first call is always among them.
  static func spread(_ count: Int, of total: Int) -> Set<Int> {
    guard count < total else { return Set(0..<total) }
    return Set(
      (0..<max(count, 0)).map { part in
        let fraction = (Double(part) * 0.618_033_988_749_895).truncatingRemainder(dividingBy: 1)
        return min(Int((Double(part) + fraction) * Double(total) / Double(count)), total - 1)
      })
  }

  /// Returns the calls to compare, once the first took so many seconds; before it did, where it is one of them, that one at
  /// least.
  func chosen(of calls: [TransformerCall], firstTook seconds: Double?) -> Set<Int> {
    switch self {
    case .all: return Set(calls.indices)
    case .calls(let count): return Self.spread(count, of: calls.count)
    case .seconds(let budget):
      guard let seconds else { return [0] }
      let tokens = calls.map { Double($0.latentTokens) }
      guard let first = tokens.first, seconds > 0 else { return Set(calls.indices) }
      let mean = tokens.reduce(0, +) / Double(tokens.count) / first * seconds
      let count = min(max(1, budget / mean), Double(calls.count))
      return Self.spread(Int(count), of: calls.count)
    }
  }
}
