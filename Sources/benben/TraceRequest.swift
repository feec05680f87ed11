import Checkpoints
import JSON
import Models
import Parity
import Tensors

/// What a trace says about its run, in the terms of the runner.
enum TraceRequest {
  /// The recorded request.
  ///
  /// - Throws: ``BenbenError`` of kind malformed when it is of another family, or could not be carried out.
  static func generation(_ trace: GoldenTrace, family: String) throws -> GenerationRequest {
    let request = trace.request
    guard request.variant == family else {
      throw BenbenError(
        .malformed, "the trace is of another family", at: trace.path,
        because: "it is of \(request.variant), the model is \(family)")
    }
    guard ["t2v", "i2v", "vae"].contains(request.mode) else {
      throw BenbenError(
        .malformed, "malformed golden trace", at: "\(trace.path): request",
        because: "its mode \"\(request.mode.prefix(40))\" is none of t2v, i2v, vae")
    }
    let generation = GenerationRequest(
      prompt: request.prompt,
      negativePrompt: request.negativePrompt ?? GenerationRequest.defaultNegativePrompt,
      width: request.width, height: request.height, latentFrames: request.latentFrames, steps: request.steps,
      videoSteps: request.videoSteps, guidanceScale: request.guidanceScale,
      videoGuidanceScale: request.videoGuidanceScale, startsFromImage: request.mode == "i2v")
    do {
      return try generation.validated()
    } catch let error as BenbenError {
      throw BenbenError(
        .malformed, "malformed golden trace", at: "\(trace.path): request",
        because: "\(error.what): \(error.subject): \(error.why)")
    }
  }

  /// The recorded image of an image-to-video run as the encoder takes it, or nil when there is none.
  ///
  /// - Throws: ``BenbenError`` when its size is not the clip's.
  static func image(_ trace: GoldenTrace) throws -> Tensor? {
    guard trace.request.mode == "i2v", let image = try trace.image() else { return nil }
    let (width, height) = (trace.request.width, trace.request.height)
    guard image.shape == [height, width, 3] else {
      throw BenbenError(
        .malformed, "malformed golden trace", at: "\(trace.path):/image",
        because: "its shape is \(image.shape.text), the clip is \(height)×\(width)")
    }
    return Clip.pixels(image.bytes, width: width, height: height)
  }

  /// The recorded embeddings [negative, prompt], or the prompt's alone without guidance; nil when there are none.
  static func texts(_ trace: GoldenTrace, _ request: GenerationRequest) throws -> [TextEmbedding]? {
    guard let prompt = try trace.embedding(.prompt) else { return nil }
    let negative = request.guidanceScale > 0 ? try trace.embedding(.negative) : nil
    return [negative, prompt].compactMap { $0.map { TextEmbedding(tokens: $0.tokens, pooled: $0.pooled) } }
  }

  /// Throws when recorded embeddings are not those that a transformer takes.
  static func require(_ texts: [TextEmbedding], fit inputs: TransformerInputs, _ trace: GoldenTrace) throws {
    if let prompt = texts.last, !texts.allSatisfy(inputs.accepts) {
      throw BenbenError(
        .malformed, "the trace is of another model", at: trace.path,
        because: "its embeddings are \(prompt.tokens.shape[1]) and \(prompt.pooled.shape[1]) wide")
    }
  }

  static func tiling(_ trace: GoldenTrace) throws -> CausalVideoVAE.Tiling? {
    try trace.decoding().map { CausalVideoVAE.Tiling(window: $0.window, tileSize: $0.tileSize) }
  }
}

/// How reports name what was compared, without paths of the machine.
enum ReportIdentity {
  /// - Parameter bundle: the bundle that the trace is of, and the model whose files are compared with the golden's.
  static func golden(
    _ path: String, _ request: GoldenTrace.Request, bundle: (GoldenBundle, model: NativeModel)? = nil
  ) -> JSONValue {
    var members: [String: JSONValue] = [
      "file": .string(path.split(separator: "/").last.map(String.init) ?? path),
      "prompt": .string(request.prompt), "width": .integer(request.width), "height": .integer(request.height),
      "latentFrames": .integer(request.latentFrames),
    ]
    if let (bundle, model) = bundle {
      members["recorded"] = bundle.provenance
      let others = bundle.componentsOfOtherFiles(model.manifest["source"]?.object ?? [:])
      members["otherFiles"] = .array(others.map(JSONValue.string))
    }
    return .object(members)
  }

  static func model(_ native: NativeModel) -> JSONValue {
    [
      "family": .string(native.family), "components": native.manifest["components"] ?? .null,
      "plan": native.manifest["plan"] ?? .null,
    ]
  }
}
