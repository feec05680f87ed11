import Files
import Models

/// The settings of a generation that somebody chose; whatever is nil is as in another run, or as in the official demos
/// for the variant.
public struct GenerationSettings: Equatable, Sendable {
  /// The prompt, and what to keep away from.
  public var prompt: String?, negativePrompt: String?
  /// The clip's size in pixels.
  public var width: Int?, height: Int?
  /// The number of latent frames.
  public var latentFrames: Int?
  /// The number of steps in each stage, for the first latent frame and for later ones.
  public var steps: [Int]?, videoSteps: [Int]?
  /// The guidance scale for the first latent frame, and for later ones.
  public var guidanceScale: Float?, videoGuidanceScale: Float?
  /// How the VAE divides frames.
  public var vaeTiling: GenerationRequest.VAETiling?
  /// What is approximated.
  public var approximation: Approximation?

  /// Creates settings of which nothing is chosen.
  public init() {}

  /// Returns the request that the settings make.
  ///
  /// - Parameters:
  ///   - name: the variant of the transformer, which has its own defaults and its own greatest length.
  ///   - other: a request that what is nil is taken from.
  ///   - startsFromImage: whether the first frame is given.
  ///   - isPicture: whether, unless something else was chosen, one frame is wanted.
  /// - Throws: `BenbenError` of kind usage when nothing says what to show, or the request cannot be carried out.
  public func request(
    variant name: String, like other: GenerationRequest? = nil, startsFromImage: Bool = false,
    isPicture: Bool = false
  ) throws -> GenerationRequest {
    let variant = ReleasedVariant.named(name)
    guard let prompt = prompt ?? other?.prompt else {
      throw BenbenError(.usage, "nothing to show", at: "prompt", because: "there is none")
    }
    var request =
      other ?? GenerationRequest(prompt: prompt, variant: variant, startsFromImage: startsFromImage)
    if other == nil, isPicture, !startsFromImage { request.latentFrames = 1 }
    request.prompt = prompt
    request.negativePrompt = negativePrompt ?? request.negativePrompt
    request.width = width ?? request.width
    request.height = height ?? request.height
    request.latentFrames = latentFrames ?? request.latentFrames
    request.steps = steps ?? request.steps
    request.videoSteps = videoSteps ?? request.videoSteps
    request.guidanceScale = guidanceScale ?? request.guidanceScale
    request.videoGuidanceScale = videoGuidanceScale ?? request.videoGuidanceScale
    request.startsFromImage = startsFromImage
    request.vaeTiling = vaeTiling ?? request.vaeTiling
    request.approximation = approximation ?? request.approximation
    guard request.latentFrames <= variant.maximumLatentFrames else {
      throw BenbenError(
        .usage, "this length cannot be generated", at: request.latentFramesText,
        because: "the \(name) model makes at most \(variant.maximumLatentFrames)",
        remedies: variant == .image ? ["Videos are made by the variants 384p and 768p."] : [])
    }
    return try request.validated()
  }
}
