/// Only a tiling of its own is written, and a request without one has the official.
extension GenerationRequest {
  private enum CodingKeys: String, CodingKey {
    case prompt, negativePrompt, width, height, latentFrames, steps, videoSteps, guidanceScale
    case videoGuidanceScale, startsFromImage, vaeTiling
  }

  /// Decodes a request.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      prompt: try values.decode(String.self, forKey: .prompt),
      negativePrompt: try values.decode(String.self, forKey: .negativePrompt),
      width: try values.decode(Int.self, forKey: .width),
      height: try values.decode(Int.self, forKey: .height),
      latentFrames: try values.decode(Int.self, forKey: .latentFrames),
      steps: try values.decode([Int].self, forKey: .steps),
      videoSteps: try values.decode([Int].self, forKey: .videoSteps),
      guidanceScale: try values.decode(Float.self, forKey: .guidanceScale),
      videoGuidanceScale: try values.decode(Float.self, forKey: .videoGuidanceScale),
      startsFromImage: try values.decode(Bool.self, forKey: .startsFromImage))
    vaeTiling = try values.decodeIfPresent(VAETiling.self, forKey: .vaeTiling) ?? .official
  }

  /// Encodes the request.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(prompt, forKey: .prompt)
    try values.encode(negativePrompt, forKey: .negativePrompt)
    try values.encode(width, forKey: .width)
    try values.encode(height, forKey: .height)
    try values.encode(latentFrames, forKey: .latentFrames)
    try values.encode(steps, forKey: .steps)
    try values.encode(videoSteps, forKey: .videoSteps)
    try values.encode(guidanceScale, forKey: .guidanceScale)
    try values.encode(videoGuidanceScale, forKey: .videoGuidanceScale)
    try values.encode(startsFromImage, forKey: .startsFromImage)
    if vaeTiling != .official { try values.encode(vaeTiling, forKey: .vaeTiling) }
  }
}
