/// A variant of the released transformers, with what the official demos ask of it (`README.md`,
/// `video_generation_demo.ipynb`, `image_generation_demo.ipynb`, `app.py`).
public struct ReleasedVariant: Equatable, Sendable {
  /// The name: what follows `diffusion_transformer_`.
  public let name: String
  /// Pixels.
  public let width: Int, height: Int
  /// Latent frames of a clip, and the most that the variant was made for.
  public let latentFrames: Int, maximumLatentFrames: Int
  /// Guidance of the first latent frame.
  public let guidanceScale: Float

  /// The low-resolution video model: 5 seconds.
  public static let p384 = ReleasedVariant(
    name: "384p", width: 640, height: 384, latentFrames: 16, maximumLatentFrames: 16, guidanceScale: 7)
  /// The high-resolution video model: 5 seconds, at most 10.
  public static let p768 = ReleasedVariant(
    name: "768p", width: 1280, height: 768, latentFrames: 16,
    maximumLatentFrames: GenerationRequest.maximumLatentFrames, guidanceScale: 7)
  /// The image model.
  public static let image = ReleasedVariant(
    name: "image", width: 1024, height: 1024, latentFrames: 1, maximumLatentFrames: 1, guidanceScale: 9)

  /// The variant of that name; one that was never released has the defaults of 384p and no limit of its own.
  public static func named(_ name: String) -> ReleasedVariant {
    [p384, p768, image].first { $0.name == name }
      ?? ReleasedVariant(
        name: name, width: p384.width, height: p384.height, latentFrames: p384.latentFrames,
        maximumLatentFrames: GenerationRequest.maximumLatentFrames, guidanceScale: p384.guidanceScale)
  }

  /// Steps of the three stages for the first latent frame, for later ones, and for those behind a given image.
  public static let steps = [20, 20, 20], videoSteps = [10, 10, 10], imageToVideoSteps = [10, 10, 10]
  /// Guidance of later latent frames: of text-to-video, and behind a given image.
  public static let videoGuidanceScale: Float = 5, imageToVideoGuidanceScale: Float = 4
}
