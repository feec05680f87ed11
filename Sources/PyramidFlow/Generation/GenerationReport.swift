import JSON
import Models
import Synchronization

/// How long the parts of a generation took (`schemas/generate-report.schema.json`).
public struct GenerationReport: Codable, Sendable {
  /// One call of the transformer.
  public struct Step: Codable, Sendable {
    /// The unit and stage, from 0.
    public let unit: Int, stage: Int
    /// The tokens of latents in one sample, without the text's.
    public let latentTokens: Int
    /// How long it took, in seconds.
    public let seconds: Double
  }

  private let schema: String
  private let model: JSONValue
  /// How many threads kernels used.
  public let threads: Int
  /// Pixels.
  public let width: Int, height: Int
  /// The latent frames, and the frames of the clip.
  public let latentFrames: Int, frames: Int
  /// The time of each phase in seconds: texts, image, latents, decoding, writing.
  public let seconds: [String: Double]
  /// The calls of the transformer, in order.
  public let steps: [Step]

  init(
    model: JSONValue, threads: Int, request: GenerationRequest, seconds: [String: Double], steps: [Step]
  ) {
    schema = "benben.generate/1"
    self.model = model
    self.threads = threads
    (width, height) = (request.width, request.height)
    (latentFrames, frames) = (request.latentFrames, request.frameCount)
    self.seconds = seconds
    self.steps = steps
  }
}

/// Measures a generation by its events.
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

  /// Takes note of an event.
  public func observe(_ event: GenerationEvent) {
    switch event {
    case .ended(let phase): end(phase.rawValue)
    case .called(let call, _, _, _): endStep(call)
    case .began, .resumed, .decoded: break
    }
  }

  /// Ends a phase; the next one begins.
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

  /// What was measured so far.
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
