import Tensors

/// An audit of a tensor's values before its type is final: a tensor that would overflow or lose too much stays wider.
extension ComponentPlan.Row {
  /// The minimum SQNR, in dB, of a tensor in int8; values of a normal distribution have about 40 dB.
  private static let minimumQuantizedSQNR = 28.0
  /// The minimum SQNR, in dB, of a row without its largest value; below it, the values are hardly more than signs.
  private static let minimumRowSQNR = 6.0

  /// Returns the row, or a copy with a wider type and the reason for it.
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
      if left < Self.minimumQuantizedSQNR {
        return wider(instead, "wider than int8, which would leave \(rounded(left)) dB of it")
      }
      if let (row, left) = conversion.worstRow, left < Self.minimumRowSQNR {
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
