import JSON
import Tensors

/// Two collections of weights, compared tensor by tensor (`schemas/compare-report.schema.json`).
package struct WeightComparison: Codable, Sendable {
  /// A tensor that both have in the same shape.
  package struct Row: Codable, Sendable {
    /// `component/name`, or the name alone.
    package let name: String
    /// The shape, outermost dimension first.
    package let shape: Shape
    /// The stored types.
    package let typeA: String, typeB: String
    /// 10·log10(Σb²/Σ(a−b)²) in dB; infinite when the values are equal, and when the reference is zero everywhere and
    /// they are not.
    @NullWhenInfinite package private(set) var sqnrDb: Double
    /// max|a−b|.
    @NullWhenInfinite package private(set) var maxAbsError: Double
    /// The mean of |a−b|.
    @NullWhenInfinite package private(set) var meanAbsError: Double

    fileprivate var line: String {
      let ratio =
        maxAbsError == 0
        ? "equal" : sqnrDb.isFinite ? "\((sqnrDb * 100).rounded() / 100) dB" : "the reference is zero"
      return "\(name)  \(typeA) / \(typeB)  \(ratio)  max \(maxAbsError)"
    }
  }

  /// The tensors that were compared, in the order of the first collection.
  package let tensors: [Row]
  /// Tensors that only one side has or that have two shapes, a sentence each.
  package let mismatches: [String]
  /// The least ``Row/sqnrDb``; infinite when all are equal.
  @NullWhenInfinite package private(set) var worstSqnrDb: Double
  /// Whether there are no mismatches and all values are equal.
  package let equal: Bool

  /// What was compared with what, where the names alone do not tell, a sentence each.
  package let remarks: [String]

  /// Compares two collections, of which the second is the reference.
  ///
  /// A single file, which has no component's name, is compared with the component whose tensors it has, whatever its names
  /// begin with.
  ///
  /// - Parameter onTensor: called with every compared tensor, its position and how many there are.
  /// - Throws: ``BenbenError`` when values cannot be read, and what `onTensor` throws.
  package init(
    _ first: WeightCollection, reference second: WeightCollection,
    onTensor: (Row, _ position: Int, _ count: Int) throws -> Void
  ) throws {
    let pairing = WeightPairing(first.items, second.items)
    remarks = pairing.remarks
    var rows: [Row] = []
    var mismatches: [String] = []
    for (index, (item, reference)) in pairing.pairs.enumerated() {
      guard let reference else {
        mismatches.append("\(item.path) is only in A")
        continue
      }
      guard item.shape == reference.shape else {
        mismatches.append("\(item.path): \(item.shape.text) in A, \(reference.shape.text) in B")
        continue
      }
      let metrics = try WeightCollection.compare(item, reference: reference)
      let row = Row(
        name: item.path, shape: item.shape, typeA: item.type, typeB: reference.type,
        sqnrDb: metrics.maxAbs == 0 ? .infinity : metrics.sqnrDb, maxAbsError: metrics.maxAbs,
        meanAbsError: metrics.meanAbs)
      rows.append(row)
      try onTensor(row, index, pairing.pairs.count)
    }
    mismatches += pairing.onlyInSecond.map { "\($0.path) is only in B" }
    tensors = rows
    self.mismatches = mismatches
    worstSqnrDb = rows.map(\.sqnrDb).filter { $0 > -.infinity }.min() ?? .infinity
    equal = mismatches.isEmpty && rows.allSatisfy { $0.maxAbsError == 0 }
  }

  /// The comparison as lines of text: the tensors that differ, or all, then what could not be compared, then a sum.
  package func lines(withEqual: Bool) -> [String] {
    let equal = tensors.count { $0.maxAbsError == 0 }
    return remarks + tensors.filter { withEqual || $0.maxAbsError > 0 }.map(\.line) + mismatches
      + ["\(tensors.count) tensors compared, \(equal) of them equal"]
  }
}
