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
