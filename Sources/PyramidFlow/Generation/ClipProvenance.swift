import Checkpoints
import Clips
import Files
import Foundation
import JSON
import Models

/// What a clip was made of, as it is kept in the clip itself (`schemas/clip-provenance.schema.json`): enough to make it
/// again, and to notice where that is not possible.
///
/// The same clip to the last bit also takes a processor of the same instruction set and the same number of threads.
public struct ClipProvenance: Equatable, Sendable {
  /// A component of the model, by the hash of its file's header, which holds the hashes of all weights.
  public struct Component: Codable, Equatable, Sendable {
    /// The component's name and the SHA-256 of its header.
    public let name: String, headerSha256: String
  }

  /// The image that the clip starts from.
  public struct Image: Codable, Equatable, Sendable {
    /// The SHA-256 of its RGB bytes at the clip's size.
    public let sha256: String
    /// How it was brought to that size.
    public let fit: Clip.Fit
  }

  /// Where the noise came from.
  public enum Origin: Equatable, Sendable {
    /// A seed.
    case seed(Noise.Seed)
    /// A recording, by its identity.
    case recorded(String)
  }

  /// The family and variant of the model.
  public let family: String, variant: String
  /// The components that took part.
  public let components: [Component]
  /// What was asked for.
  public let request: GenerationRequest
  /// Where the noise came from.
  public let noise: Origin
  /// The image that the clip starts from, if it does.
  public let image: Image?
  /// The speed of the clip.
  public let framesPerSecond: Int
  /// The version of Benben that made it.
  public let version: String

  /// Creates the provenance of a clip that a model makes.
  ///
  /// - Parameters:
  ///   - request: what was generated.
  ///   - model: the model that generated it.
  ///   - variant: which of the model's transformers.
  ///   - noise: where the noise came from.
  ///   - image: the first frame at the clip's size, where the request starts from one.
  ///   - fit: how it was brought to that size.
  ///   - framesPerSecond: the clip's speed.
  /// - Throws: `BenbenError` when the model has no transformer of the variant.
  public init(
    of request: GenerationRequest, model: VideoModel, variant: String? = nil, noise: Noise,
    image: Clip? = nil, fit: Clip.Fit = .stretch, framesPerSecond: Int = 24
  ) throws {
    let variant = try model.native.variant(variant)
    family = model.family
    self.variant = variant
    components = Self.components(of: model, variant: variant)
    self.request = request
    self.noise = noise.seed.map(Origin.seed) ?? .recorded(noise.identity)
    self.image = image.map { Image(sha256: Digest.sha256($0.bytes), fit: fit) }
    self.framesPerSecond = framesPerSecond
    version = Benben.version
  }

  private static func components(of model: VideoModel, variant: String) -> [Component] {
    let transformer = ModelFamily.transformerPrefix + variant
    return (model.native.manifest["components"]?.array ?? []).compactMap { row in
      guard let name = row["name"]?.string, let hash = row["headerSha256"]?.string,
        name == transformer || !name.hasPrefix(ModelFamily.transformerPrefix)
      else { return nil }
      return Component(name: name, headerSha256: hash)
    }
  }

  /// Returns sentences on what of a repetition differs from the clip, beside what was chosen otherwise.
  ///
  /// - Parameters:
  ///   - model: the model that repeats the clip with the same variant.
  ///   - image: the first frame of the repetition.
  ///   - noise: the noise of the repetition.
  public func remarks(on model: VideoModel, image: Clip?, noise: Noise) -> [String] {
    let present = Self.components(of: model, variant: variant)
    var others = components.filter { !present.contains($0) }.map(\.name)
    if family != model.family { others = ["the family, \(family)"] }
    var remarks: [String] = []
    if !others.isEmpty {
      remarks.append("the clip was made with other weights: \(others.joined(separator: ", "))")
    }
    if let made = self.image, let image, made.sha256 != Digest.sha256(image.bytes) {
      remarks.append("the clip was made from another image, or from one that was fitted otherwise")
    }
    if case .recorded(let identity) = self.noise, noise.seed == nil, noise.identity != identity {
      remarks.append("the clip was made from another recording: \(identity)")
    }
    return remarks
  }
}

// MARK: - Text

extension ClipProvenance: Codable {
  /// The version of the format.
  private static let schema = "benben.clip/1"

  private enum CodingKeys: String, CodingKey {
    case schema, version, family, variant, components, request, noise, image, framesPerSecond
  }

  /// Decodes provenance.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let schema = try values.decode(String.self, forKey: .schema)
    guard schema == Self.schema else {
      throw DecodingError.dataCorruptedError(
        forKey: .schema, in: values, debugDescription: "it is \(schema), not \(Self.schema)")
    }
    version = try values.decode(String.self, forKey: .version)
    family = try values.decode(String.self, forKey: .family)
    variant = try values.decode(String.self, forKey: .variant)
    components = try values.decode([Component].self, forKey: .components)
    request = try values.decode(GenerationRequest.self, forKey: .request)
    noise = try values.decode(Origin.self, forKey: .noise)
    image = try values.decodeIfPresent(Image.self, forKey: .image)
    framesPerSecond = try values.decode(Int.self, forKey: .framesPerSecond)
    let longest = max(request.prompt.utf8.count, request.negativePrompt.utf8.count)
    guard GenerationRequest.framesPerSecondRange ~= framesPerSecond,
      longest <= GenerationRequest.maximumPromptLength
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .framesPerSecond, in: values,
        debugDescription:
          "\(framesPerSecond) frames a second or a prompt of \(longest) bytes are not possible")
    }
  }

  /// Encodes the provenance.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(Self.schema, forKey: .schema)
    try values.encode(version, forKey: .version)
    try values.encode(family, forKey: .family)
    try values.encode(variant, forKey: .variant)
    try values.encode(components, forKey: .components)
    try values.encode(request, forKey: .request)
    try values.encode(noise, forKey: .noise)
    try values.encodeIfPresent(image, forKey: .image)
    try values.encode(framesPerSecond, forKey: .framesPerSecond)
  }

  /// The provenance as JSON on one line, in ASCII, which every container's text fields can hold.
  public var text: String {
    get throws {
      try JSONValue(encoding: self).canonicalText.utf16.map { unit in
        unit < 0x80
          ? String(UnicodeScalar(UInt8(unit))) : "\\u" + String(0x10000 + Int(unit), radix: 16).dropFirst()
      }.joined()
    }
  }

  /// Reads the provenance that a clip holds.
  ///
  /// - Parameters:
  ///   - text: the clip's comment, or nil when it has none.
  ///   - path: the clip, for errors.
  /// - Throws: `BenbenError` of kind malformed when the text is no provenance.
  public init(text: String?, of path: String) throws {
    func failure(_ why: String) -> BenbenError {
      BenbenError(
        .malformed, "the clip does not say how it was made", at: path, because: why,
        remedies: [
          "MP4, PNG and folders of PNGs say it, unless they were edited, or made without; a GIF never does."
        ])
    }
    guard let text else { throw failure("it has no comment") }
    do {
      self = try JSONValue(parsing: text).decoded(as: ClipProvenance.self)
    } catch let error as JSONError {
      throw failure("its comment is of another program (\(error))")
    } catch let DecodingError.dataCorrupted(context) {
      throw failure(context.debugDescription)
    } catch {
      throw failure("its comment lacks what is needed")
    }
  }
}

extension ClipProvenance.Origin: Codable {
  private enum CodingKeys: String, CodingKey { case seed, device, gpu, type, recorded }

  /// Decodes an origin.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    if let recorded = try values.decodeIfPresent(String.self, forKey: .recorded) {
      self = .recorded(recorded)
      return
    }
    let device = try values.decode(String.self, forKey: .device)
    let gpu = try values.decodeIfPresent(String.self, forKey: .gpu).flatMap(TorchGPU.init)
    let type = try values.decode(String.self, forKey: .type)
    guard let seed = UInt64(try values.decode(String.self, forKey: .seed)), ["f32", "bf16"].contains(type),
      device == "cpu" || (device == "cuda" && gpu != nil)
    else {
      throw DecodingError.dataCorruptedError(
        forKey: .seed, in: values, debugDescription: "its seed, device or type of noise is not known")
    }
    self = .seed(Noise.Seed(seed, device: gpu.map(TorchDevice.cuda) ?? .cpu, isBFloat16: type == "bf16"))
  }

  /// Encodes the origin; the seed as text, since many readers of JSON round large numbers.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    switch self {
    case .recorded(let identity): try values.encode(identity, forKey: .recorded)
    case .seed(let seed):
      try values.encode(String(seed.seed), forKey: .seed)
      try values.encode(seed.isBFloat16 ? "bf16" : "f32", forKey: .type)
      switch seed.device {
      case .cpu: try values.encode("cpu", forKey: .device)
      case .cuda(let gpu):
        try values.encode("cuda", forKey: .device)
        try values.encode("\(gpu.multiprocessors)x\(gpu.threadsEach)", forKey: .gpu)
      }
    }
  }
}
