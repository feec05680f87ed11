import Media
import PyramidFlow
import PyramidFlowVerification

func convertGenerateVerify(checkpoint: String, folder: String, golden: String) async throws {
  try ModelConverter(release: checkpoint).convert(to: folder, weights: .int8) { print($0.fraction) }
  let model = try VideoModel(at: folder, threads: 4)
  var request = GenerationRequest(prompt: "a red ball moving right", variant: .p384)
  (request.width, request.height, request.latentFrames) = (128, 128, 2)
  let clip = try await model.generate(request, noise: .seed(1)) { print($0.phase, $0.fraction) }
  try clip.write(to: "ball.mp4")
  let report = try await model.verify(against: GoldenTrace(at: golden))
  print(report.passed, report.firstDivergence ?? "-")
}
