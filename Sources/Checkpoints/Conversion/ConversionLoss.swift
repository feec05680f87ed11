import Tensors

/// The error that a conversion causes, over the parts of a tensor in their order.
struct ConversionLoss: Sendable {
  /// The error of the values against the source.
  var metrics = ErrorMetrics()
  /// The row with the lowest SQNR in int8 when its largest value is left out, and that SQNR in dB; nil for other types.
  var worstRow: (row: Int, decibels: Double)?

  /// Adds the loss of the next part.
  mutating func add(_ next: ConversionLoss) {
    metrics.add(next.metrics)
    if let row = next.worstRow { consider(row) }
  }

  /// Takes a row for the worst one if it is.
  mutating func consider(_ row: (row: Int, decibels: Double)) {
    if row.decibels < worstRow?.decibels ?? .infinity { worstRow = row }
  }
}
