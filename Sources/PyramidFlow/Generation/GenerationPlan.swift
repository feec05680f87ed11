import Files
import JSON
import Models

/// An estimate of what a run needs on this machine: memory, and time (`schemas/generate-plan.schema.json`).
///
/// For the time, a part of every phase is run, and scaled by the work that is left. A machine that gets warm, other
/// programs, and a disk that weights are read from again make a run longer: the estimate is not a promise.
public struct GenerationPlan: Sendable {
  /// The memory of the run.
  public let memory: MemoryPlan
  /// The number of threads that kernels use.
  public let threads: Int
  /// The number of the transformer's calls.
  public let calls: Int
  /// The time of each phase in seconds.
  public let seconds: [GenerationEvent.Phase: Double]

  /// The time of the whole run in seconds.
  public var totalSeconds: Double { seconds.values.reduce(0, +) }

  /// The time as lines of text.
  public var timeLines: [String] {
    let parts = GenerationEvent.Phase.allCases.compactMap { phase in
      seconds[phase].map {
        "\(phase.rawValue) \(TimeText.text($0))" + (phase == .latents ? " (\(calls) calls)" : "")
      }
    }
    let place = "\(threads) \(threads == 1 ? "thread" : "threads"), \(Benben.instructionSet)"
    return [
      "time on this machine (\(place)), from measured parts: about \(TimeText.text(totalSeconds))",
      "  " + parts.joined(separator: ", "),
    ]
  }

  /// The plan as `schemas/generate-plan.schema.json` has it.
  package var json: JSONValue {
    func rounded(_ seconds: Double) -> JSONValue { .number((seconds * 1000).rounded() / 1000) }
    let phases = seconds.map { ($0.key.rawValue, rounded($0.value)) }
    return [
      "schema": "benben.generate-plan/1", "memory": memory.json, "threads": .integer(threads),
      "instructionSet": .string(Benben.instructionSet), "calls": .integer(calls),
      "seconds": .object(Dictionary(uniqueKeysWithValues: phases)), "totalSeconds": rounded(totalSeconds),
    ]
  }
}
