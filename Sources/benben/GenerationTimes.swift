import JSON
import Models

/// What took how long in a generation.
final class GenerationTimes {
  private let clock = ContinuousClock()
  private var phaseStart: ContinuousClock.Instant
  private var stepStart: ContinuousClock.Instant
  private var phases: [String: Double] = [:]
  private var steps: [JSONValue] = []

  init() {
    phaseStart = clock.now
    stepStart = clock.now
  }

  /// Ends the phase of that name; the next one begins.
  func end(_ phase: String) {
    phases[phase, default: 0] += seconds(since: phaseStart)
    phaseStart = clock.now
    stepStart = phaseStart
  }

  /// Ends a step.
  ///
  /// - Parameter tokens: those of one sample's latents.
  func endStep(unit: Int, stage: Int, tokens: Int) {
    steps.append([
      "unit": .integer(unit), "stage": .integer(stage), "latentTokens": .integer(tokens),
      "seconds": .number(seconds(since: stepStart)),
    ])
    stepStart = clock.now
  }

  private func seconds(since start: ContinuousClock.Instant) -> Double {
    ((clock.now - start) / .milliseconds(1)).rounded() / 1000
  }

  /// `schemas/generate-report.schema.json`.
  func json(_ request: GenerationRequest, threads: Int, model: JSONValue) -> JSONValue {
    [
      "schema": "benben.generate/1", "model": model, "threads": .integer(threads),
      "width": .integer(request.width), "height": .integer(request.height),
      "latentFrames": .integer(request.latentFrames), "frames": .integer(request.frameCount),
      "seconds": .object(phases.mapValues(JSONValue.number)), "steps": .array(steps),
    ]
  }
}
