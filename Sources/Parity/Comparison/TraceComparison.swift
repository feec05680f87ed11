import Clips
import Files
import Foundation
import JSON
import Tensors

/// A comparison of two traces, dataset by dataset: of golden traces, or of runs that `verify` kept (``RunTrace``).
///
/// It knows no thresholds: the second trace is the reference, and nothing says how near to it the first must be.
public struct TraceComparison: Sendable {
  /// The comparison of one dataset.
  public struct Row: Sendable {
    /// The name of the dataset.
    public let path: String
    /// The normalised mean square error, Σ(a−b)²/Σb², and the largest |a−b|.
    public let nmse: Double, maxAbs: Double
    /// The cosine of the angle between the two; nil where one is zero.
    public let cosine: Double?
  }

  /// The frames of both, compared in 8-bit levels.
  public struct Frames: Sendable {
    /// The name of the dataset.
    public let path: String
    /// The PSNR, the SSIM, the ꟻLIP and the PSNR of changes of the worst frame.
    public let psnrMinDb: Double, ssimMin: Double, flipMax: Double, temporalPsnrMinDb: Double?
    /// The largest difference of a value, and the fraction of values that are equal.
    public let maxAbs: Int, identicalFraction: Double
  }

  /// The datasets that both have in the same shape, in order of their names.
  public private(set) var rows: [Row] = []
  /// The clips that both have in the same shape.
  public private(set) var frames: [Frames] = []
  /// What only one of them has, or has in another shape, one sentence each.
  public private(set) var mismatches: [String] = []

  /// Compares two traces.
  ///
  /// - Parameters:
  ///   - onRow: called after every dataset with the number of those done and of all.
  /// - Throws: `BenbenError` when one of them cannot be read.
  public init(
    _ path: String, reference referencePath: String, onRow: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    for path in [path, referencePath] where FileSystem.exists(path) && !GoldenTrace.isTrace(path) {
      throw BenbenError(
        .usage, "a trace is compared with a trace", at: path, because: "this is none",
        remedies: ["Compare two traces, or the weights of two models."])
    }
    let (ours, reference) = (try HDF5File(path: path), try HDF5File(path: referencePath))
    let (names, known) = (Set(ours.datasets), Set(reference.datasets))
    mismatches =
      names.subtracting(known).sorted().map { "\($0) is in \(path) only" }
      + known.subtracting(names).sorted().map { "\($0) is in \(referencePath) only" }
    let shared = names.intersection(known).sorted { $0.localizedStandardCompare($1) == .orderedAscending }
    for (index, name) in shared.enumerated() {
      guard ours.shape(of: name) == reference.shape(of: name) else {
        mismatches.append(
          "\(name) is \(ours.shape(of: name)?.text ?? "") and \(reference.shape(of: name)?.text ?? "")")
        continue
      }
      if name.split(separator: "/").last == Substring(TracePath.frames.description),
        let (a, b) = try Self.clips(ours, reference, name)
      {
        let metrics = ClipMetrics(a, reference: b)
        frames.append(
          Frames(
            path: name, psnrMinDb: metrics.psnrMinDb, ssimMin: metrics.ssimMin,
            flipMax: ClipMetrics.flip(a, reference: b).max() ?? 0,
            temporalPsnrMinDb: metrics.temporalPsnrDb.min(), maxAbs: metrics.maxAbs,
            identicalFraction: metrics.identicalFraction))
      } else {
        let (a, b) = (try ours.tensor(name), try reference.tensor(name))
        let metrics = ErrorMetrics(a.elements, reference: b.elements)
        rows.append(
          Row(
            path: name, nmse: metrics.nmse, maxAbs: metrics.maxAbs,
            cosine: ErrorMetrics.cosine(a.elements, b.elements)))
      }
      try onRow(index + 1, shared.count)
    }
    guard !rows.isEmpty || !frames.isEmpty else {
      throw BenbenError(
        .malformed, "nothing to compare", at: path, because: "it shares no dataset with \(referencePath)",
        remedies: [
          "Two goldens, or what two verifications kept, are compared; a run is compared with its golden by its verification."
        ])
    }
  }

  private static func clips(_ a: HDF5File, _ b: HDF5File, _ name: String) throws -> (Clip, Clip)? {
    func clip(_ file: HDF5File) throws -> Clip? {
      let (shape, bytes) = try file.bytes(name)
      guard shape.count == 4, shape[3] == 3 else { return nil }
      return Clip(width: shape[2], height: shape[1], bytes: bytes)
    }
    guard let first = try clip(a), let second = try clip(b) else { return nil }
    return (first, second)
  }

  /// The comparison as lines of text: the worst of each kind of dataset, then the frames.
  public var lines: [String] {
    var order: [String] = []
    var groups: [String: [Row]] = [:]
    for row in rows {
      // The mode stands before the path.
      let modes = ComparisonMode.allCases.map { $0.rawValue + "/" }
      let mode = modes.first { row.path.hasPrefix($0) } ?? ""
      let key = mode + TracePath.kind(of: String(row.path.dropFirst(mode.count)))
      if groups[key] == nil { order.append(key) }
      groups[key, default: []].append(row)
    }
    let width = order.map(\.count).max() ?? 0
    return order.map { key in
      let members = groups[key] ?? []
      let worst = members.max { $0.nmse < $1.nmse }
      return key.padding(toLength: width, withPad: " ", startingAt: 0)
        + String(
          format: "  %4d  worst nmse %.2e  max |a-b| %.3g  cosine %@", members.count, worst?.nmse ?? 0,
          worst?.maxAbs ?? 0,
          worst?.cosine.map { String(format: "%.8f", ($0 * 1e8).rounded(.down) / 1e8) } ?? "-")
        + (members.count > 1 && (worst?.nmse ?? 0) > 0 ? "  at \(worst?.path ?? "")" : "")
    }
      + frames.map {
        String(
          format:
            "%@  PSNR min %.2f dB  SSIM min %.5f  FLIP max %.3g  changes min %@  identical %.3f %%  max %d",
          $0.path, $0.psnrMinDb, $0.ssimMin.roundedDown(toDigits: 5), $0.flipMax,
          $0.temporalPsnrMinDb.map { String(format: "%.2f dB", $0) } ?? "-",
          ($0.identicalFraction * 1e5).rounded(.down) / 1000, $0.maxAbs)
      }
      + mismatches
  }

  /// The comparison as `schemas/trace-comparison.schema.json` has it.
  package var json: JSONValue {
    func number(_ value: Double?) -> JSONValue { value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null }
    return [
      "schema": "benben.trace-comparison/1", "mismatches": .array(mismatches.map(JSONValue.string)),
      "datasets": .array(
        rows.map {
          [
            "path": .string($0.path), "nmse": number($0.nmse), "maxAbs": number($0.maxAbs),
            "cosine": number($0.cosine),
          ]
        }),
      "frames": .array(
        frames.map {
          [
            "path": .string($0.path), "psnrMinDb": number($0.psnrMinDb), "ssimMin": number($0.ssimMin),
            "flipMax": number($0.flipMax), "temporalPsnrMinDb": number($0.temporalPsnrMinDb),
            "maxAbs": .integer($0.maxAbs), "identicalFraction": number($0.identicalFraction),
          ]
        }),
    ]
  }
}
