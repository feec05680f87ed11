import Files
import JSON
import Kernels
import Tensors

/// What a benchmark measured, beside what the machine can do at most.
package struct BenchmarkReport: Sendable {
  /// One measurement.
  struct Row: Sendable {
    let shape: String
    let details: [String: JSONValue]
    let seconds: [Double]
    let work: OperationCount

    var best: Double { seconds.min() ?? 0 }
    var operationsPerSecond: Double { best > 0 ? work.total / best : 0 }
  }

  let part: Benchmark.Part
  let threads: Int
  let rows: [Row]
  /// The operations a second of the largest product, by the precision of its inputs.
  let limit: [InputPrecision: Double]

  /// The report as JSON (`schemas/bench-report.schema.json`).
  package var json: JSONValue {
    [
      "part": .string(part.rawValue), "threads": .integer(threads),
      "instructionSet": .string(Benben.instructionSet),
      "limit": .object(
        Dictionary(uniqueKeysWithValues: limit.map { ($0.rawValue, .number(Self.rounded($1 / 1e9))) })),
      "measurements": .array(
        rows.map { row in
          var members = row.details
          members["shape"] = .string(row.shape)
          members["seconds"] = .array(row.seconds.map(JSONValue.number))
          members["bestSeconds"] = .number(row.best)
          members["gigaOperations"] = [
            "linear": .number(row.work.linear / 1e9), "attention": .number(row.work.attention / 1e9),
            "convolution": .number(row.work.convolution / 1e9),
          ]
          members["gigaOperationsPerSecond"] = .number(row.operationsPerSecond / 1e9)
          members["shareOfLimit"] = .object(
            Dictionary(
              uniqueKeysWithValues: limit.map { ($0.rawValue, .number(row.operationsPerSecond / $1)) }))
          return .object(members)
        }),
    ]
  }

  /// The report as lines for people.
  package var text: String {
    let limits = limit.sorted { $0.value < $1.value }
    var lines = [
      "\(threads) threads, \(Benben.instructionSet)"
        + limits.map { ", \($0.key.rawValue) \(Int($0.value / 1e9)) GOP/s" }.joined()
    ]
    for row in rows {
      var line = "\(part.rawValue) \(row.shape): \(Self.rounded(row.best)) s"
      if row.work.total > 0 {
        line += ", \(Int(row.operationsPerSecond / 1e9)) GOP/s"
        line += limits.map {
          ", \(Int((100 * row.operationsPerSecond / $0.value).rounded())) % of \($0.key.rawValue)"
        }.joined()
      }
      if let bytes = row.details["sourceBytes"]?.integer {
        line += ", \(ByteSize.text(Int(Double(bytes) / max(row.best, 1e-9))))/s"
      }
      lines.append(line)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
