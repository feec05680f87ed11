import Foundation
import JSON
import Tensors

/// A comparison of one tensor with the golden's.
public struct TensorComparison: Equatable, Sendable {
  /// The tensor's path in the golden.
  public let path: String
  /// The mode in which the tensor was computed.
  public let mode: ComparisonMode
  /// The normalised mean square error, Σ(a−b)²/Σb², where b is the golden's; infinite when either side contains NaN or
  /// infinity.
  @NullWhenInfinite public private(set) var nmse: Double
  /// The largest absolute error, max|a−b|.
  @NullWhenInfinite public private(set) var maxAbs: Double
  /// The signal-to-noise ratio, 10·log10(Σb²/Σ(a−b)²) in dB; infinite when nothing differs, and −∞ when ``nmse`` is
  /// infinite.
  @NullWhenInfinite public private(set) var sqnrDb: Double
  /// The peak signal-to-noise ratio, 20·log10(max|b|/RMSE) in dB; infinite when nothing differs.
  @NullWhenInfinite public private(set) var psnrDb: Double
  /// The cosine of the angle between ours and the golden's, of latents and predictions; it does not affect the verdict.
  public let cosine: Double?
  /// The largest ``nmse`` that passes.
  public let threshold: Double
  /// The number of values that were compared.
  public let count: Int
  /// A note on values that were left out of the comparison, or nil.
  public let note: String?

  /// Creates a comparison from error metrics and a threshold.
  package init(
    _ path: TracePath, mode: ComparisonMode, metrics: ErrorMetrics, threshold: Double, cosine: Double? = nil,
    note: String? = nil
  ) {
    self.path = path.description
    self.mode = mode
    nmse = metrics.nmse
    maxAbs = metrics.maxAbs
    sqnrDb = metrics.sqnrDb
    psnrDb = metrics.psnrDb
    count = metrics.count
    self.threshold = threshold
    self.cosine = cosine
    self.note = note
  }

  /// Whether the ratio is that of the error, as far as an error that is not zero allows.
  package var isConsistent: Bool {
    nmse == 0 ? sqnrDb == .infinity || nmse.isNaN : !nmse.isFinite || abs(sqnrDb + 10 * log10(nmse)) < 1e-6
  }

  /// Whether something was compared and the error is within the threshold.
  public var passed: Bool { count > 0 && nmse <= threshold }
}

extension TensorComparison: Codable {
  private enum Keys: String, CodingKey {
    case path, mode, nmse, maxAbs, sqnrDb, psnrDb, cosine, threshold, passed, count, note
  }

  /// Reads a comparison; the verdict follows from its numbers.
  public init(from decoder: any Decoder) throws {
    let members = try decoder.container(keyedBy: Keys.self)
    path = try members.decode(String.self, forKey: .path)
    mode = try members.decode(ComparisonMode.self, forKey: .mode)
    _nmse = try members.decode(NullWhenInfinite.self, forKey: .nmse)
    _maxAbs = try members.decode(NullWhenInfinite.self, forKey: .maxAbs)
    _sqnrDb = try members.decode(NullWhenInfinite.self, forKey: .sqnrDb)
    _psnrDb = try members.decode(NullWhenInfinite.self, forKey: .psnrDb)
    cosine = try members.decodeIfPresent(Double.self, forKey: .cosine)
    threshold = try members.decode(Double.self, forKey: .threshold)
    count = try members.decode(Int.self, forKey: .count)
    note = try members.decodeIfPresent(String.self, forKey: .note)
    // A null ratio is infinite with either sign; an infinite error makes it −∞.
    if nmse == .infinity { (sqnrDb, psnrDb) = (-.infinity, -.infinity) }
  }

  /// Writes the members of a stage in `schemas/parity-report.schema.json`.
  public func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: Keys.self)
    try members.encode(path, forKey: .path)
    try members.encode(mode, forKey: .mode)
    try members.encode(_nmse, forKey: .nmse)
    try members.encode(_maxAbs, forKey: .maxAbs)
    try members.encode(_sqnrDb, forKey: .sqnrDb)
    try members.encode(_psnrDb, forKey: .psnrDb)
    try members.encodeIfPresent(cosine, forKey: .cosine)
    try members.encode(threshold, forKey: .threshold)
    try members.encode(passed, forKey: .passed)
    try members.encode(count, forKey: .count)
    try members.encodeIfPresent(note, forKey: .note)
  }
}
