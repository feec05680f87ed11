/// A variant of the released transformers, with the settings of the official demos (`README.md`,
/// `video_generation_demo.ipynb`, `image_generation_demo.ipynb`, `app.py`).
public struct ReleasedVariant: Equatable, Sendable {
  /// The variant's name, as it follows `diffusion_transformer_`.
  public let name: String
  /// The clip's size in pixels.
  public let width: Int, height: Int
  /// The number of latent frames of a clip, and the largest number that the variant was made for.
  public let latentFrames: Int, maximumLatentFrames: Int
  /// The guidance scale of the first latent frame.
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

  /// All of them.
  package static let all = [p384, p768, image]

  /// Returns the variant of that name; a name that was never released has the defaults of 384p and no limit of its own.
  public static func named(_ name: String) -> ReleasedVariant {
    all.first { $0.name == name }
      ?? ReleasedVariant(
        name: name, width: p384.width, height: p384.height, latentFrames: p384.latentFrames,
        maximumLatentFrames: GenerationRequest.maximumLatentFrames, guidanceScale: p384.guidanceScale)
  }

  /// The steps of the three stages, for the first latent frame, for later ones, and for those after a given image.
  public static let steps = [20, 20, 20], videoSteps = [10, 10, 10], imageToVideoSteps = [10, 10, 10]
  /// The guidance scale of later latent frames, in text-to-video and after a given image.
  public static let videoGuidanceScale: Float = 5, imageToVideoGuidanceScale: Float = 4
}
