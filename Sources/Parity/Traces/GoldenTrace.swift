import Clips
import Files
import JSON
import Tensors

/// What one run of the official implementation computed, recorded in HDF5 (schema `benben.golden/1`).
///
/// Every accessor gives nil for what was not recorded, and throws for what is there but not as it must be.
public final class GoldenTrace: Sendable {
  /// The run that was recorded.
  public struct Request: Equatable, Sendable {
    /// `miniflux` or `sd3`.
    public let variant: String
    /// `t2v`, `i2v` or `vae`.
    public let mode: String
    /// The prompt without the pipeline's suffix.
    public let prompt: String
    /// Nil when the official default was used.
    public let negativePrompt: String?
    /// Pixels.
    public let width: Int, height: Int
    /// Latent frames.
    public let latentFrames: Int
    /// Steps of each stage.
    public let steps: [Int], videoSteps: [Int]
    /// Guidance for the first and for later latent frames.
    public let guidanceScale: Float, videoGuidanceScale: Float
    /// Frames a second.
    public let framesPerSecond: Int
    /// Whether the official code computed in f32, and not in a narrower type.
    public let isFullPrecision: Bool
  }

  /// How the clip was decoded.
  public struct Decoding: Equatable, Sendable {
    /// Latent frames of a chunk.
    public let window: Int
    /// The side of a tile in pixels, or nil without tiling.
    public let tileSize: Int?
  }

  /// The schema that is read.
  public static let schema = "benben.golden/1"
  /// Longer texts are refused; only 128 tokens of one are used.
  public static let maximumTextLength = 100_000
  /// The file.
  public let path: String
  /// The run.
  public let request: Request
  private let file: HDF5File

  /// Opens a trace and reads its request.
  public init(at path: String) throws {
    self.path = path
    file = try HDF5File(path: path)
    guard let schema = try file.string("schema"), schema == Self.schema else {
      throw BenbenError(
        .malformed, "not a golden trace", at: path, because: "it does not name the schema \(Self.schema)")
    }
    guard let text = try file.string("request") else {
      throw BenbenError(.malformed, "malformed golden trace", at: path, because: "it has no request")
    }
    request = try Self.parse(text, path: path)
  }

  private static func parse(_ text: String, path: String) throws -> Request {
    func fault(_ why: String) -> BenbenError {
      BenbenError(.malformed, "malformed golden trace", at: "\(path): request", because: why)
    }
    let json: JSONValue
    do { json = try JSONValue(parsing: text) } catch { throw fault(error.description) }
    guard let variant = json["variant"]?.string, let mode = json["mode"]?.string,
      let prompt = json["prompt"]?.string,
      let width = json["width"]?.integer, let height = json["height"]?.integer,
      let temp = json["temp"]?.integer,
      let steps = json["num_inference_steps"]?.integers,
      let videoSteps = json["video_num_inference_steps"]?.integers,
      let guidance = json["guidance_scale"]?.double, let videoGuidance = json["video_guidance_scale"]?.double
    else { throw fault("a field is missing or has another type") }
    let rate = json["fps"]?.integer ?? 24
    guard 1...240 ~= rate else { throw fault("\(rate) frames a second") }
    let longest = max(prompt.utf8.count, json["negative_prompt"]?.string?.utf8.count ?? 0)
    guard longest <= maximumTextLength else {
      throw fault("a prompt is longer than \(maximumTextLength) bytes")
    }
    let type = json["dtype"]?.string ?? "float32"
    guard ["float32", "bfloat16"].contains(type) else { throw fault("its dtype is \(type)") }
    return Request(
      variant: variant, mode: mode, prompt: prompt, negativePrompt: json["negative_prompt"]?.string,
      width: width,
      height: height, latentFrames: temp, steps: steps, videoSteps: videoSteps,
      guidanceScale: Float(guidance),
      videoGuidanceScale: Float(videoGuidance), framesPerSecond: rate, isFullPrecision: type == "float32")
  }

  private func fault(_ name: String, _ why: String) -> BenbenError {
    BenbenError(.malformed, "malformed golden trace", at: "\(path):/\(name)", because: why)
  }

  /// How messages name a dataset of this trace.
  package func place(of dataset: TracePath) -> String { "\(path):/\(dataset)" }

  /// A dataset as f32, or nil when it was not recorded.
  package func tensor(_ dataset: TracePath) throws -> Tensor? {
    let name = dataset.description
    return file.shape(of: name) == nil ? nil : try file.tensor(name)
  }

  /// A dataset as f32 of exactly this shape, where −1 stands for any size; nil when it was not recorded.
  package func tensor(_ dataset: TracePath, shape expected: Shape) throws -> Tensor? {
    let name = dataset.description
    guard let shape = file.shape(of: name) else { return nil }
    guard shape.count == expected.count, zip(shape, expected).allSatisfy({ $1 == -1 || $0 == $1 }) else {
      throw fault(name, "its shape is \(shape.text), not \(expected.text)")
    }
    return try file.tensor(name)
  }

  /// The ids, or the mask, of a text.
  public func tokens(_ text: TracePath.Text, _ tokens: TracePath.Tokens) throws -> [Int]? {
    let name = TracePath.tokens(text, tokens).description
    return file.shape(of: name) == nil ? nil : try file.integers(name)
  }

  /// The text that was encoded, with what the pipeline appends.
  public func text(_ text: TracePath.Text) throws -> String? {
    let group = TracePath.group(text)
    guard file.contains(group), let text = try file.string("text", of: group) else { return nil }
    guard text.utf8.count <= Self.maximumTextLength else { throw fault(group, "its text is too long") }
    return text
  }

  /// The embeddings of a text, [tokens, width], without padding; and the pooled vector [1, width].
  package func embedding(_ text: TracePath.Text) throws -> (tokens: Tensor, pooled: Tensor)? {
    guard let embeddings = try tensor(.textEmbedding(text), shape: [1, -1, -1]),
      let pooled = try tensor(.pooledText(text), shape: [1, -1]), let mask = try tokens(text, .t5Mask)
    else { return nil }
    let count = mask.prefix { $0 == 1 }.count
    guard mask.count == embeddings.shape[1], mask.allSatisfy({ 0...1 ~= $0 }), mask.reduce(0, +) == count,
      count > 0
    else { throw fault(TracePath.group(text), "its mask is not a run of ones followed by zeros") }
    return (embeddings.reshaped(Array(embeddings.shape[1...])).rows(0..<count), pooled)
  }

  /// How the clip was decoded, or nil when it was not.
  public func decoding() throws -> Decoding? {
    let vae = TracePath.vaeGroup
    guard file.contains(vae), let window = try file.integer("window_size", of: vae) else { return nil }
    let tileSize = try file.integer("tile_sample_min_size", of: vae) ?? 256
    let tiling = try file.integer("tiling", of: vae) ?? 0
    guard 1...64 ~= window, 64...4096 ~= tileSize, tileSize % 32 == 0 else {
      throw fault(vae, "window \(window) or tile size \(tileSize) is out of range")
    }
    return Decoding(window: window, tileSize: tiling == 0 ? nil : tileSize)
  }

  /// The recorded clip, or nil when it was not recorded.
  public func clip() throws -> Clip? {
    let name = TracePath.frames.description
    guard let shape = file.shape(of: name) else { return nil }
    guard shape.count == 4, shape[3] == 3,
      let clip = Clip(width: shape[2], height: shape[1], bytes: try file.bytes(name).1)
    else { throw fault(name, "its shape is \(shape.text)") }
    return clip
  }

  /// The image that an image-to-video run started from, or nil when it was not recorded.
  public func image() throws -> Clip? {
    let name = TracePath.image.description
    guard let shape = file.shape(of: name) else { return nil }
    guard shape.count == 3, shape[2] == 3,
      let image = Clip(width: shape[1], height: shape[0], bytes: try file.bytes(name).1)
    else { throw fault(name, "its shape is \(shape.text)") }
    return image
  }

  /// The module outputs that were recorded of a call of the transformer, as they are named in the file.
  package func recordedActivations(call: Int) -> [String] {
    let group = TracePath.activations(call: call)
    return file.children(of: group).flatMap { module in
      file.children(of: "\(group)/\(module)").map { "\(group)/\(module)/\($0)" }
    }
  }
}
