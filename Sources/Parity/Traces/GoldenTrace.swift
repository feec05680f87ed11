import Clips
import Files
import JSON
import Tensors

/// The recorded values of one run of the official implementation, in HDF5 (schema `benben.golden/1`).
///
/// Every accessor returns nil for what was not recorded, and throws for what is malformed.
public final class GoldenTrace: Sendable {
  /// The run that was recorded.
  public struct Request: Equatable, Sendable {
    /// The family of the model: `miniflux` or `sd3`.
    public let variant: String
    /// The kind of run: `t2v`, `i2v` or `vae`.
    public let mode: String
    /// The prompt without the pipeline's suffix.
    public let prompt: String
    /// The negative prompt; nil when the official default was used.
    public let negativePrompt: String?
    /// The clip's size in pixels.
    public let width: Int, height: Int
    /// The number of latent frames.
    public let latentFrames: Int
    /// The number of steps in each stage, for the first latent frame and for later ones.
    public let steps: [Int], videoSteps: [Int]
    /// The guidance scale for the first latent frame, and for later ones.
    public let guidanceScale: Float, videoGuidanceScale: Float
    /// The number of frames per second.
    public let framesPerSecond: Int
    /// Whether the official code computed in f32 and not in a narrower type.
    public let isFullPrecision: Bool
  }

  /// The division of the clip for decoding: into chunks, and into tiles.
  public struct Decoding: Equatable, Sendable {
    /// The number of latent frames in a chunk.
    public let window: Int
    /// The side of a tile in pixels, or nil without tiling.
    public let tileSize: Int?
  }

  /// The schema that is supported.
  public static let schema = "benben.golden/1"
  /// The largest length of a text, in bytes of UTF-8; longer ones are refused, as only 128 tokens of a text are used.
  public static let maximumTextLength = 100_000
  /// The most tokens of a text; the official pipelines encode 128 at most.
  public static let maximumTokens = 1024
  /// The path of the file.
  public let path: String
  /// The request of the recorded run.
  public let request: Request
  private let file: HDF5File

  /// Returns whether a file is meant as a trace: by its name, or by its first bytes, which are HDF5's.
  public static func isTrace(_ path: String) -> Bool {
    if [".h5", ".hdf5"].contains(where: path.lowercased().hasSuffix) { return true }
    guard let file = try? InputFile(path: path) else { return false }
    return (try? file.bytes(at: 0, count: min(file.size, 8))) == [
      0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A,
    ]
  }

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

  /// Returns the SHA-256 of the very file that is read, in lower-case hexadecimal.
  package func sha256() throws -> String { try file.sha256() }

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

  /// Returns the location of a dataset for messages.
  package func place(of dataset: TracePath) -> String { "\(path):/\(dataset)" }

  /// Returns a dataset as f32, or nil when it was not recorded.
  package func tensor(_ dataset: TracePath) throws -> Tensor? {
    let name = dataset.description
    return file.shape(of: name) == nil ? nil : try file.tensor(name)
  }

  /// Returns the shape of a dataset, or nil when it was not recorded.
  package func shape(of dataset: TracePath) -> Shape? { file.shape(of: dataset.description) }

  /// Returns a dataset as f32 of exactly this shape, where −1 matches any size, or nil when it was not recorded.
  package func tensor(_ dataset: TracePath, shape expected: Shape) throws -> Tensor? {
    let name = dataset.description
    guard let shape = file.shape(of: name) else { return nil }
    guard shape.count == expected.count, zip(shape, expected).allSatisfy({ $1 == -1 || $0 == $1 }) else {
      throw fault(name, "its shape is \(shape.text), not \(expected.text)")
    }
    return try file.tensor(name)
  }

  /// Returns the ids, or the mask, of a text, or nil when they were not recorded.
  public func tokens(_ text: TracePath.Text, _ tokens: TracePath.Tokens) throws -> [Int]? {
    let name = TracePath.tokens(text, tokens).description
    return file.shape(of: name) == nil ? nil : try file.integers(name, atMost: Self.maximumTokens)
  }

  /// Returns the text that was encoded, with the pipeline's suffix.
  public func text(_ text: TracePath.Text) throws -> String? {
    let group = TracePath.group(text)
    guard file.contains(group), let text = try file.string("text", of: group) else { return nil }
    guard text.utf8.count <= Self.maximumTextLength else { throw fault(group, "its text is too long") }
    return text
  }

  /// Returns the embeddings of a text without padding, [tokens, width], and its pooled vector, [1, width].
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

  /// Returns how the clip was decoded, or nil when it was not.
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

  /// Returns the recorded clip, or nil when it was not recorded.
  public func clip() throws -> Clip? {
    let name = TracePath.frames.description
    guard let shape = file.shape(of: name) else { return nil }
    guard shape.count == 4, shape[3] == 3,
      let clip = Clip(width: shape[2], height: shape[1], bytes: try file.bytes(name).1)
    else { throw fault(name, "its shape is \(shape.text)") }
    return clip
  }

  /// Returns the image that an image-to-video run started from, or nil when it was not recorded.
  public func image() throws -> Clip? {
    let name = TracePath.image.description
    guard let shape = file.shape(of: name) else { return nil }
    guard shape.count == 3, shape[2] == 3,
      let image = Clip(width: shape[1], height: shape[0], bytes: try file.bytes(name).1)
    else { throw fault(name, "its shape is \(shape.text)") }
    return image
  }

  /// Returns the names, as in the file, of the module outputs recorded for a call of the transformer.
  package func recordedActivations(call: Int) -> [String] {
    let group = TracePath.activations(call: call)
    return file.children(of: group).flatMap { module in
      file.children(of: "\(group)/\(module)").map { "\(group)/\(module)/\($0)" }
    }
  }
}
