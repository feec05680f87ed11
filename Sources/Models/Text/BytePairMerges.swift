import HeapModule

/// The merges of a byte-pair encoding, best first.
struct BytePairMerges {
  /// Two neighbours that are joined.
  struct Pair: Hashable {
    let left: String, right: String
  }

  /// The rank of each merge, by the pair of its parts.
  let ranks: [Pair: Int]

  /// A pair that stood at a position when it was seen; stale once one of its parts was joined.
  private struct Candidate: Comparable {
    let rank: Int, position: Int
    let pair: Pair

    static func < (first: Candidate, second: Candidate) -> Bool {
      (first.rank, first.position) < (second.rank, second.position)
    }

    static func == (first: Candidate, second: Candidate) -> Bool {
      (first.rank, first.position) == (second.rank, second.position)
    }
  }

  /// Joins all occurrences of the best-ranked neighbouring pair, from left to right, until no pair is left that has a
  /// rank (`CLIPTokenizer.bpe`); takes n·log n steps for n parts.
  func merged(_ symbols: [String]) -> [String] {
    // A joined part stands where its first part stood; the others become nil.
    var parts: [String?] = symbols
    var next = Array(1...max(symbols.count, 1))
    var previous = Array(-1..<max(symbols.count - 1, 0))
    var candidates = Heap<Candidate>()
    func pair(at position: Int) -> Pair? {
      guard position >= 0, next[position] < parts.count, let left = parts[position],
        let right = parts[next[position]]
      else { return nil }
      return Pair(left: left, right: right)
    }
    func consider(_ position: Int) {
      guard let pair = pair(at: position), let rank = ranks[pair] else { return }
      candidates.insert(Candidate(rank: rank, position: position, pair: pair))
    }
    for position in symbols.indices { consider(position) }
    while let best = candidates.min {
      // All that have this rank now; those that appear meanwhile, even better ones, belong to later rounds.
      var round: [Candidate] = []
      while let candidate = candidates.min, candidate.rank == best.rank {
        round.append(candidates.removeMin())
      }
      var joined: [Int] = []
      for candidate in round where pair(at: candidate.position) == candidate.pair {
        let position = candidate.position
        let second = next[position]
        parts[position] = candidate.pair.left + candidate.pair.right
        parts[second] = nil
        next[position] = next[second]
        if next[second] < parts.count { previous[next[second]] = position }
        joined.append(position)
      }
      for position in joined {
        consider(previous[position])
        consider(position)
      }
    }
    return parts.compactMap { $0 }
  }
}
