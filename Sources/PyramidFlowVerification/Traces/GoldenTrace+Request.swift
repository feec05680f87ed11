import Clips
import Files
import JSON
import Models
import Parity
import PyramidFlow
import Tensors

extension GenerationRequest {
  /// Creates the validated request of a recorded run.
  ///
  /// - Parameters:
  ///   - family: the family of the model that repeats the run.
  ///   - bundle: the bundle of the trace, which says what recorded it.
  /// - Throws: `BenbenError` of kind malformed when the run is of another family, or could not be carried out.
  package init(_ trace: GoldenTrace, family: String, bundle: GoldenBundle? = nil) throws {
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
    var recorded = GenerationRequest(
      prompt: request.prompt,
      negativePrompt: request.negativePrompt ?? GenerationRequest.defaultNegativePrompt,
      width: request.width, height: request.height, latentFrames: request.latentFrames, steps: request.steps,
      videoSteps: request.videoSteps, guidanceScale: request.guidanceScale,
      videoGuidanceScale: request.videoGuidanceScale, startsFromImage: request.mode == "i2v")
    recorded.scheduleRounding = try trace.scheduleRounding(bundle: bundle)
    do {
      self = try recorded.validated()
    } catch let error as BenbenError {
      throw BenbenError(
        .malformed, "malformed golden trace", at: "\(trace.path): request",
        because: "\(error.what): \(error.subject): \(error.why)")
    }
  }
}

extension GoldenTrace {
  /// Returns how the recorded run rounded its times: as the bundle's version of NumPy does; where none is recorded, as
  /// the recorded times themselves say.
  fileprivate func scheduleRounding(bundle: GoldenBundle?) throws -> PyramidFlowSchedule.Rounding {
    if let version = bundle?.provenance["versions"]?["numpy"]?.string {
      return version.hasPrefix("1.") ? .numpy1 : .numpy2
    }
    let recorded = try (0..<PyramidFlowSchedule.stageCount).compactMap { stage in
      try tensor(.timesteps(unit: 0, stage: stage)).map { (stage, Array($0.elements)) }
    }
    func repeats(_ rounding: PyramidFlowSchedule.Rounding) -> Bool {
      let schedule = PyramidFlowSchedule(rounding: rounding)
      return recorded.allSatisfy { stage, times in
        (1...GenerationRequest.maximumSteps).contains(times.count)
          && times == schedule.timesteps(stage: stage, count: times.count).map(Float.init)
      }
    }
    return !repeats(.numpy1) && repeats(.numpy2) ? .numpy2 : .numpy1
  }

  /// Returns the image that the recorded run started from, of the clip's size, or nil when it started from none or none
  /// was recorded.
  func startImage() throws -> Clip? {
    guard request.mode == "i2v", let image = try image() else { return nil }
    guard (image.width, image.height) == (request.width, request.height) else {
      throw BenbenError(
        .malformed, "malformed golden trace", at: place(of: .image),
        because: "its size is \(image.width)×\(image.height), the clip's \(request.width)×\(request.height)")
    }
    return image
  }

  /// Returns the recorded embeddings of [negative, prompt], or the prompt's alone without guidance; nil when there are
  /// none.
  ///
  /// - Throws: `BenbenError` when their widths are not those that the transformer expects.
  func texts(_ request: GenerationRequest, for inputs: TransformerInputs) throws -> [TextEmbedding]? {
    guard let prompt = try embedding(.prompt) else { return nil }
    let negative = request.guidanceScale > 0 ? try embedding(.negative) : nil
    let texts = [negative, prompt].compactMap {
      $0.map { TextEmbedding(tokens: $0.tokens, pooled: $0.pooled) }
    }
    guard texts.allSatisfy(inputs.accepts) else {
      throw BenbenError(
        .malformed, "the trace is of another model", at: path,
        because: "its embeddings are \(prompt.tokens.shape[1]) and \(prompt.pooled.shape[1]) wide")
    }
    return texts
  }

  /// Returns the tiling with which the recorded run decoded, or nil when it did not decode.
  func tiling() throws -> CausalVideoVAE.Tiling? {
    try decoding().map { CausalVideoVAE.Tiling(tileSize: $0.tileSize) }
  }
}

extension TransformerCall {
  /// The step of the call in a trace.
  var traced: TracePath.Step { TracePath.Step(unit: unit, stage: stage, step: step) }
}

extension GenerationRequest {
  /// Throws when running the recorded request would take more memory than this machine has.
  func requireFit(_ parts: LoadedModel, variant: String?, at trace: GoldenTrace) throws {
    // Without a transformer, or without a choice of one, what else runs is counted.
    let variant = (try? parts.native.variant(variant)) ?? ""
    try MemoryPlan(parts.native, variant: variant, self).requireFit(at: trace)
  }
}

extension MemoryPlan {
  /// Throws when the run that a trace asks for needs more memory than this machine has.
  func requireFit(at trace: GoldenTrace) throws {
    do { try requireFit(limit: nil) } catch let error as BenbenError where error.kind == .usage {
      throw BenbenError(
        .malformed, error.what, at: "\(trace.path): request", because: "\(error.subject): \(error.why)")
    }
  }
}
