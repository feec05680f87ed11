import PyramidFlow
import TestSupport

/// Models that tests convert once.
enum ConvertedModels {
  private static let folder = try? TestFolder()

  /// A native model of the small miniFLUX fixture.
  static let miniFLUX: String? = convert("miniflux")
  /// A native model of the small SD3 fixture.
  static let sd3: String? = convert("sd3")

  private static func convert(_ fixture: String) -> String? {
    guard let folder else { return nil }
    let path = folder.path + "/" + fixture
    let done: Void? = try? ModelConverter(release: Fixtures.checkpoint(fixture)).convert(to: path)
    return done.map { path }
  }
}

extension GenerationRequest {
  /// A clip of a second of computing.
  static let small = GenerationRequest(
    prompt: "a red ball", width: 128, height: 64, latentFrames: 2, steps: [2, 1, 1], videoSteps: [1, 1, 2],
    guidanceScale: 7, videoGuidanceScale: 5)
}
