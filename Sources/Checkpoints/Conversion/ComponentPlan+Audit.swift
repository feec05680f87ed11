import Tensors

/// A look at a tensor's values before its type is settled: what would overflow, or lose too much, stays wider.
extension ComponentPlan.Row {
  /// Less is left of a tensor that int8 does not suit; one of normal distribution has about 40 dB.
  private static let leastQuantizedSQNR = 28.0
  /// The same for the other values of a row with an outlier; below this they are hardly more than signs.
  private static let leastRowSQNR = 6.0

  /// The same row, or one with a wider type and the reason.
  func audited() throws -> ComponentPlan.Row {
    guard let stored = source.weightType, type != stored else { return self }
    func wider(_ type: WeightType, _ reason: String) -> ComponentPlan.Row {
      ComponentPlan.Row(name: name, source: source, choice: .init(type: type, reason: reason))
    }
    switch type {
    case .f16 where try exceedsHalfRange():
      return wider(stored, "kept as stored: a value exceeds the range of f16")
    case .int8:
      var conversion = try TensorConversion(source, to: .int8)
      while try conversion.next({ _ in }) {}
      let instead = stored.precision > WeightType.bf16.precision ? WeightType.bf16 : stored
      func rounded(_ decibels: Double) -> Double { (decibels * 10).rounded() / 10 }
      let left = conversion.metrics.sqnrDb
      if left < Self.leastQuantizedSQNR {
        return wider(instead, "wider than int8, which would leave \(rounded(left)) dB of it")
      }
      if let (row, left) = conversion.worstRow, left < Self.leastRowSQNR {
        return wider(
          instead, "wider than int8: an outlier would leave \(rounded(left)) dB of row \(row)")
      }
      return self
    default: return self
    }
  }

  private func exceedsHalfRange() throws -> Bool {
    var conversion = try TensorConversion(source, to: .f32)
    var exceeds = false
    while !exceeds,
      try conversion.next({ chunk in
        exceeds = chunk.bindMemory(to: Float.self).contains { $0.isFinite && $0.magnitude >= 65520 }
      })
    {}
    return exceeds
  }
}
