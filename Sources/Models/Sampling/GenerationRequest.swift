import Files
import Tensors

/// A request for a clip: prompt, size, length, steps and guidance.
///
/// The defaults are those of the official demos.
public struct GenerationRequest: Codable, Equatable, Sendable {
  /// The prompt, without the suffix that the pipeline appends.
  public var prompt: String
  /// The prompt that guidance steers away from.
  public var negativePrompt: String
  /// The clip's size in pixels, in multiples of ``sizeMultiple``.
  public var width: Int, height: Int
  /// The number of latent frames, T; the clip has 1 + 8·(T − 1) frames.
  public var latentFrames: Int
  /// The number of steps in each stage, for the first latent frame and for later ones.
  public var steps: [Int], videoSteps: [Int]
  /// The guidance scale for the first latent frame, and for later ones.
  ///
  /// Without guidance for the first frame (0), none is computed for later ones either.
  public var guidanceScale: Float, videoGuidanceScale: Float
  /// The transformer that the settings are those of, such as 768p; nil where any will do.
  ///
  /// It is no part of what a report or a kept run says of a request: both name the variant beside it.
  public var variant: String?
  /// Whether the first frame is a given image (image-to-video) and not generated.
  public var startsFromImage: Bool
  /// Whether the VAE works in tiles, as in the official demos, or on whole frames.
  public var vaeTiling: VAETiling {
    get { otherTiling ?? .official }
    set { otherTiling = newValue == .official ? nil : newValue }
  }
  /// Only a tiling of its own is written, and a request without one has the official.
  private var otherTiling: VAETiling?
  /// What is approximated, to be faster.
  public var approximation: Approximation {
    get { otherApproximation ?? .off }
    set { otherApproximation = newValue == .off ? nil : newValue }
  }
  /// Only an approximation is written.
  private var otherApproximation: Approximation?
  /// How the times are rounded; a run that was recorded with another version of NumPy has others in the last digit.
  package var scheduleRounding = PyramidFlowSchedule.Rounding.numpy1

  private enum CodingKeys: String, CodingKey {
    case prompt, negativePrompt, width, height, latentFrames, steps, videoSteps, guidanceScale
    case videoGuidanceScale, startsFromImage
    case otherTiling = "vaeTiling"
    case otherApproximation = "approximation"
  }

  /// How the VAE divides frames.
  public enum VAETiling: String, Codable, CaseIterable, Sendable {
    /// Into overlapping tiles of 256 pixels, which are blended: what the official demos do.
    case official
    /// Not at all, as the official code does by default: less work and no seams, and memory that grows with the frame.
    case none

    /// The division that the VAE computes with.
    package var tiling: CausalVideoVAE.Tiling {
      self == .official ? .official : CausalVideoVAE.Tiling(tileSize: nil)
    }
  }

  /// A latent frame to be generated.
  public struct Unit: Equatable, Sendable {
    /// The unit's index, from 0; also the frame of the initial noise that it starts from.
    public let index: Int
    /// The number of steps in each stage.
    public let steps: [Int]
    /// The guidance scale, where guidance is used.
    public let guidanceScale: Float
  }

  /// The latent frames to generate, in order.
  ///
  /// When the clip starts from an image, these are all frames but the first, each with ``steps`` and
  /// ``videoGuidanceScale``, as in the official `generate_i2v`.
  public var units: [Unit] {
    if startsFromImage {
      return (0..<max(latentFrames - 1, 0)).map {
        Unit(index: $0, steps: steps, guidanceScale: videoGuidanceScale)
      }
    }
    return (0..<latentFrames).map {
      Unit(
        index: $0, steps: $0 == 0 ? steps : videoSteps,
        guidanceScale: $0 == 0 ? guidanceScale : videoGuidanceScale)
    }
  }

  /// The number of steps of all units.
  public var stepCount: Int { units.reduce(0) { $0 + $1.steps.reduce(0, +) } }

  /// The divisor of width and height in pixels: 8 for the VAE, times 4 for the pyramid, times 2 for the patch.
  public static let sizeMultiple = 64
  /// The suffix that the official pipeline appends to every prompt.
  public static let promptSuffix = ", hyper quality, Ultra HD, 8K"
  /// The official default negative prompt.
  public static let defaultNegativePrompt =
    "cartoon style, worst quality, low quality, blurry, absolute black, absolute white, low res, extra limbs, "
    + "extra digits, misplaced objects, mutated anatomy, monochrome, horror"
  /// The largest number of latent frames; the models were trained on no more.
  public static let maximumLatentFrames = 31
  /// The most bytes of a prompt, of which the encoders read 128 tokens at most.
  public static let maximumPromptLength = 100_000
  /// The frames a second that a clip may have.
  public static let framesPerSecondRange = 1...240
  /// The largest side in pixels; keeps every product of sizes far from overflow.
  public static let maximumSide = 8192
  /// The largest number of steps a stage can have.
  public static let maximumSteps = 1000

  /// Creates a request; ``validated()`` checks it.
  public init(
    prompt: String, negativePrompt: String = defaultNegativePrompt, width: Int, height: Int,
    latentFrames: Int,
    steps: [Int], videoSteps: [Int], guidanceScale: Float, videoGuidanceScale: Float,
    startsFromImage: Bool = false
  ) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.width = width
    self.height = height
    self.latentFrames = latentFrames
    self.steps = steps
    self.videoSteps = videoSteps
    self.guidanceScale = guidanceScale
    self.videoGuidanceScale = videoGuidanceScale
    self.startsFromImage = startsFromImage
  }

  /// Creates a request with the settings of the official demos for a variant.
  ///
  /// - Parameter startsFromImage: whether the first frame is given (image-to-video), which changes steps and guidance.
  public init(prompt: String, variant: ReleasedVariant, startsFromImage: Bool = false) {
    self.init(
      prompt: prompt, width: variant.width, height: variant.height, latentFrames: variant.latentFrames,
      steps: startsFromImage ? ReleasedVariant.imageToVideoSteps : ReleasedVariant.steps,
      videoSteps: ReleasedVariant.videoSteps, guidanceScale: variant.guidanceScale,
      videoGuidanceScale: startsFromImage
        ? ReleasedVariant.imageToVideoGuidanceScale : ReleasedVariant.videoGuidanceScale,
      startsFromImage: startsFromImage)
    self.variant = variant.name
  }

  /// The number of frames of the clip.
  public var frameCount: Int { 1 + CausalVideoVAEConfig.scale * (latentFrames - 1) }
  /// The number of latent frames in words.
  package var latentFramesText: String {
    latentFrames == 1 ? "1 latent frame" : "\(latentFrames) latent frames"
  }

  /// The height of a latent.
  public var latentHeight: Int { height / CausalVideoVAEConfig.scale }
  /// The width of a latent.
  public var latentWidth: Int { width / CausalVideoVAEConfig.scale }

  /// The text that is encoded for the prompt: the prompt with the pipeline's suffix.
  public var fullPrompt: String { prompt + Self.promptSuffix }

  /// Returns the request unchanged if it can be carried out.
  ///
  /// - Throws: ``BenbenError`` of kind usage, which names the invalid field and the nearest valid sizes.
  public func validated() throws -> GenerationRequest {
    for (name, side) in [("width", width), ("height", height)] {
      guard side > 0, side <= Self.maximumSide, side % Self.sizeMultiple == 0 else {
        let below = max(
          Self.sizeMultiple, min(side, Self.maximumSide) / Self.sizeMultiple * Self.sizeMultiple)
        let nearest = below < Self.maximumSide ? "\(below) or \(below + Self.sizeMultiple)" : "\(below)"
        throw BenbenError(
          .usage, "this size cannot be generated", at: "\(name) \(side)",
          because: "it is no multiple of \(Self.sizeMultiple) up to \(Self.maximumSide)",
          remedies: ["Take \(nearest)."])
      }
    }
    guard 1...Self.maximumLatentFrames ~= latentFrames else {
      throw BenbenError(
        .usage, "this length cannot be generated", at: latentFramesText,
        because: "the models know 1 to \(Self.maximumLatentFrames)",
        remedies: ["16 give five seconds, 31 give ten."])
    }
    guard latentFrames > 1 || !startsFromImage else {
      throw BenbenError(
        .usage, "this length cannot be generated", at: "1 latent frame",
        because: "the first frame is the given image, so at least 2 are needed")
    }
    for (name, steps) in [("steps", steps), ("video steps", videoSteps)] {
      guard steps.count == PyramidFlowSchedule.stageCount, steps.allSatisfy({ 1...Self.maximumSteps ~= $0 })
      else {
        throw BenbenError(
          .usage, "not valid", at: "\(name) \(steps.map(String.init).joined(separator: ","))",
          because: "three numbers from 1 to \(Self.maximumSteps) are needed, one a stage")
      }
    }
    if let nodes = approximation.historyNodes, !(Approximation.possibleNodes ~= nodes) {
      throw BenbenError(
        .usage, "not valid", at: approximation.rawValue,
        because:
          "\(Approximation.possibleNodes.lowerBound) to \(Approximation.possibleNodes.upperBound) nodes are possible"
      )
    }
    guard guidanceScale.isFinite, videoGuidanceScale.isFinite, guidanceScale >= 0, videoGuidanceScale >= 0
    else {
      throw BenbenError(
        .usage, "not valid", at: "guidance \(guidanceScale), \(videoGuidanceScale)",
        because: "guidance scales are finite and not negative")
    }
    return self
  }
}
