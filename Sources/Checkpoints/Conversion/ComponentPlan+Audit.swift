import Tensors

/// An audit of a tensor's values before its type is final: a tensor that would overflow or lose too much stays wider.
extension ComponentPlan.Row {
  /// The minimum SQNR, in dB, of a tensor in int8; values of a normal distribution have about 40 dB.
  private static let minimumQuantizedSQNR = 28.0
  /// The minimum SQNR, in dB, of a row without its largest value; below it, the values are hardly more than signs.
  private static let minimumRowSQNR = 6.0

  /// How the reasons of an audit begin.
  private static let beyondHalf = "kept as stored: a value exceeds", beyondInt8 = "wider than int8"

  /// Returns whether a reason is that of a tensor whose values demanded a wider type.
  static func isOfWider(_ reason: String) -> Bool {
    reason.hasPrefix(beyondHalf) || reason.hasPrefix(beyondInt8)
  }

  /// Whether the type depends on what conversion to it loses.
  var needsAudit: Bool { !isAudited && source.weightType != type && (type == .f16 || type == .int8) }

  /// Returns the row, or a copy with a wider type and the reason for it.
  func audited() throws -> ComponentPlan.Row {
    guard needsAudit else { return self }
    var conversion = try TensorConversion(source, to: type)
    while try conversion.next({ _ in }) {}
    return wider(after: conversion.loss) ?? self
  }

  /// Returns the row with a wider type, and the reason, when conversion of all of its values lost too much; else nil.
  func wider(after loss: ConversionLoss) -> ComponentPlan.Row? {
    guard needsAudit, let stored = source.weightType else { return nil }
    if type == .f16 {
      // The source is finite, so that only a value beyond the range of f16 has an infinite error.
      return loss.metrics.maxAbs.isFinite
        ? nil : retyped(stored, Self.beyondHalf + " the range of f16")
    }
    let instead = stored.precision > WeightType.bf16.precision ? WeightType.bf16 : stored
    func rounded(_ decibels: Double) -> Double { (decibels * 10).rounded() / 10 }
    let left = loss.metrics.sqnrDb
    if left < Self.minimumQuantizedSQNR {
      return retyped(instead, Self.beyondInt8 + ", which would leave \(rounded(left)) dB of it")
    }
    if let (row, left) = loss.worstRow, left < Self.minimumRowSQNR {
      return retyped(instead, Self.beyondInt8 + ": an outlier would leave \(rounded(left)) dB of row \(row)")
    }
    return nil
  }

  /// Returns the row with the type that an audit decided.
  func retyped(_ type: WeightType, _ reason: String) -> ComponentPlan.Row {
    ComponentPlan.Row(
      name: name, source: source, choice: .init(type: type, reason: reason), isAudited: true)
  }
}
