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

  /// Throws when entries of a vocabulary are left that no merge makes, as of a file that was cut short.
  ///
  /// A vocabulary that holds all bytes, at a word's end and elsewhere, was made together with its merges; a smaller one is a
  /// test's.
  ///
  /// - Parameter added: tokens that were added to it, the marks of start and end among them.
  func requireComplete(for vocabulary: [String: Int], except added: Set<String>, _ path: String) throws {
    let units = 2 * 256
    guard vocabulary.count >= units,
      vocabulary.count - units - added.count(where: { vocabulary[$0] != nil }) > ranks.count
    else { return }
    let made = Set(ranks.keys.map { $0.left + $0.right })
    func isUnit(_ entry: String) -> Bool {
      (entry.hasSuffix("</w>") ? entry.dropLast(4) : entry[...]).unicodeScalars.count == 1
    }
    let unmade = vocabulary.keys.filter { !made.contains($0) && !added.contains($0) && !isUnit($0) }
    guard let first = unmade.min() else { return }
    throw tokenizerFault(
      path,
      "of the vocabulary, \(unmade.count) entries are made by no merge, such as \"\(first.prefix(40))\": it is cut short"
    )
  }
}
