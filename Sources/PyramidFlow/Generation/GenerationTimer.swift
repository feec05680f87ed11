import JSON
import Models
import Synchronization

/// A timer that measures a generation by its events.
public final class GenerationTimer: Sendable {
  private struct State: Sendable {
    var phaseStart: ContinuousClock.Instant
    var stepStart: ContinuousClock.Instant
    var phases: [String: Double] = [:]
    var steps: [GenerationReport.Step] = []
  }

  private let state: Mutex<State>
  private let clock = ContinuousClock()

  /// Starts measuring.
  public init() {
    let now = clock.now
    state = Mutex(State(phaseStart: now, stepStart: now))
  }

  /// Records an event.
  public func observe(_ event: GenerationEvent) {
    switch event {
    case .ended(let phase): end(phase.rawValue)
    case .called(let call, _, _, _): endStep(call)
    case .began, .resumed, .cut, .encoded, .approximated, .previewed, .decoded: break
    }
  }

  /// Ends a phase and begins the next one.
  public func end(_ phase: String) {
    let now = clock.now
    state.withLock {
      $0.phases[phase, default: 0] += Self.seconds(now - $0.phaseStart)
      $0.phaseStart = now
      $0.stepStart = now
    }
  }

  private func endStep(_ call: TransformerCall) {
    let now = clock.now
    state.withLock {
      $0.steps.append(
        GenerationReport.Step(
          unit: call.unit, stage: call.stage, latentTokens: call.latentTokens,
          seconds: Self.seconds(now - $0.stepStart)))
      $0.stepStart = now
    }
  }

  private static func seconds(_ duration: Duration) -> Double {
    (duration / .milliseconds(1)).rounded() / 1000
  }

  /// Returns the measurements so far.
  public func report(_ request: GenerationRequest, model: VideoModel) -> GenerationReport {
    let state = state.withLock { $0 }
    let manifest = model.native.manifest
    return GenerationReport(
      model: [
        "family": .string(model.family), "components": manifest["components"] ?? .null,
        "plan": manifest["plan"] ?? .null,
      ],
      threads: model.threads, request: request, seconds: state.phases, steps: state.steps)
  }
}
