import Foundation
import PyramidFlow
import PyramidFlowVerification

/// Converts, generates, cancels and verifies with the products alone: ExampleApp FIXTURES FOLDER.
@main
enum ExampleApp {
  static func main() async throws {
    IsolatedReading.begin()
    let arguments = CommandLine.arguments
    guard arguments.count == 3 else { return print("ExampleApp FIXTURES FOLDER") }
    let (fixtures, folder) = (arguments[1], arguments[2])
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    _ = FileManager.default.changeCurrentDirectoryPath(folder)
    try await convertGenerateVerify(
      checkpoint: fixtures + "/shapes/checkpoint", folder: folder + "/shapes",
      golden: fixtures + "/shapes/golden.h5")

    for name in ["miniflux", "sd3"] {
      try ModelConverter(release: "\(fixtures)/\(name)/checkpoint").convert(to: "\(folder)/\(name)")
    }
    let studio = try Studio([folder + "/miniflux", folder + "/sd3"])
    let request = GenerationRequest(
      prompt: "a boat", width: 128, height: 64, latentFrames: 2, steps: [1, 1, 1], videoSteps: [1, 1, 1],
      guidanceScale: 7, videoGuidanceScale: 5)
    let clips = try await studio.clips(of: request)
    print("two models:", clips.map(\.count))
    print("cancelled:", await studio.cancelled(request))

    // A model against the golden of another one: the first tensor that diverges is named.
    let report = try await VideoModel(at: folder + "/miniflux").verify(
      against: Golden(at: fixtures + "/shapes/golden.h5"),
      options: VerificationOptions(modes: [.freeRunning]))
    print("first divergence:", report.firstDivergence ?? "-")
    do {
      _ = try VideoModel(at: fixtures)
    } catch let error as BenbenError {
      print("error:", error, error.remedies)
    }
  }
}
