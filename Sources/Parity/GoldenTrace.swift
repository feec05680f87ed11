import JSON
import Tensors

/// What one run of the official implementation computed, recorded in HDF5 (schema `benben.golden/1`).
///
/// Every accessor gives nil for what was not recorded, and throws for what is there but not as it must be.
public final class GoldenTrace {
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

  /// Which of the two texts.
  public enum TextKind: String, CaseIterable, Sendable {
    /// The negative prompt.
    case negative
    /// The prompt.
    case prompt
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
  public init(path: String) throws {
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

  /// A dataset as f32, or nil when it was not recorded.
  public func tensor(_ name: String) throws -> Tensor? {
    file.shape(of: name) == nil ? nil : try file.tensor(name)
  }

  /// A dataset as f32 of exactly this shape, where −1 stands for any size.
  public func tensor(_ name: String, shape expected: Shape) throws -> Tensor? {
    guard let shape = file.shape(of: name) else { return nil }
    guard shape.count == expected.count, zip(shape, expected).allSatisfy({ $1 == -1 || $0 == $1 }) else {
      throw fault(name, "its shape is \(shape.text), not \(expected.text)")
    }
    return try file.tensor(name)
  }

  /// The ids, or the mask, of a text: `t5_ids`, `t5_mask`, `clip_ids` or `clip2_ids`.
  public func tokens(_ kind: TextKind, _ name: String) throws -> [Int]? {
    let path = "text/\(kind.rawValue)/\(name)"
    return file.shape(of: path) == nil ? nil : try file.integers(path)
  }

  /// The text that was really encoded.
  public func text(_ kind: TextKind) throws -> String? {
    let group = "text/\(kind.rawValue)"
    guard file.contains(group), let text = try file.string("text", of: group) else { return nil }
    guard text.utf8.count <= Self.maximumTextLength else { throw fault(group, "its text is too long") }
    return text
  }

  /// Embeddings of a text, [tokens, width], without padding; and the pooled vector [1, width].
  public func embedding(_ kind: TextKind) throws -> (tokens: Tensor, pooled: Tensor)? {
    let group = "text/\(kind.rawValue)"
    guard let embeddings = try tensor("\(group)/t5_embeds", shape: [1, -1, -1]),
      let pooled = try tensor("\(group)/pooled", shape: [1, -1]), let mask = try tokens(kind, "t5_mask")
    else { return nil }
    let count = mask.prefix { $0 == 1 }.count
    guard mask.count == embeddings.shape[1], mask.allSatisfy({ 0...1 ~= $0 }), mask.reduce(0, +) == count,
      count > 0
    else { throw fault(group, "its mask is not a run of ones followed by zeros") }
    return (embeddings.reshaped(Array(embeddings.shape[1...])).rows(0..<count), pooled)
  }

  /// How the VAE was run.
  public func decoding() throws -> Decoding? {
    guard file.contains("vae"), let window = try file.integer("window_size", of: "vae") else { return nil }
    let tileSize = try file.integer("tile_sample_min_size", of: "vae") ?? 256
    let tiling = try file.integer("tiling", of: "vae") ?? 0
    guard 1...64 ~= window, 64...4096 ~= tileSize, tileSize % 32 == 0 else {
      throw fault("vae", "window \(window) or tile size \(tileSize) is out of range")
    }
    return Decoding(window: window, tileSize: tiling == 0 ? nil : tileSize)
  }

  /// The clip as bytes, [frames, height, width, 3].
  public func frames() throws -> (shape: Shape, bytes: [UInt8])? {
    guard let shape = file.shape(of: "frames") else { return nil }
    guard shape.count == 4, shape[3] == 3 else { throw fault("frames", "its shape is \(shape.text)") }
    return try file.bytes("frames")
  }

  /// The image that an image-to-video run started from as bytes, [height, width, 3].
  public func image() throws -> (shape: Shape, bytes: [UInt8])? {
    guard let shape = file.shape(of: "image") else { return nil }
    guard shape.count == 3, shape[2] == 3 else { throw fault("image", "its shape is \(shape.text)") }
    return try file.bytes("image")
  }

  /// The calls of the transformer whose activations were recorded, each with the names of its datasets.
  public func recordedActivations(call: Int) -> [String] {
    let group = "activations/call\(call)"
    return file.children(of: group).flatMap { module in
      file.children(of: "\(group)/\(module)").map { "\(group)/\(module)/\($0)" }
    }
  }
}
