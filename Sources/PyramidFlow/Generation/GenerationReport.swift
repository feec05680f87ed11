import JSON
import Models
import Synchronization

/// The durations of the parts of a generation (`schemas/generate-report.schema.json`).
public struct GenerationReport: Codable, Sendable {
  /// One call of the transformer.
  public struct Step: Codable, Sendable {
    /// The unit and stage, from 0.
    public let unit: Int, stage: Int
    /// The number of latent tokens in one sample, without text tokens.
    public let latentTokens: Int
    /// The duration of the call in seconds.
    public let seconds: Double
  }

  private let schema: String
  private let model: JSONValue
  /// The number of threads that kernels used.
  public let threads: Int
  /// The clip's size in pixels.
  public let width: Int, height: Int
  /// The number of latent frames, and of frames of the clip.
  public let latentFrames: Int, frames: Int
  /// The duration of each phase in seconds: texts, image, latents, decoding, writing.
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
