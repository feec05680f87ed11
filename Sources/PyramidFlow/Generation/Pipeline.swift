import Clips
import Files
import Models
import Tensors

/// The path from a request to frames: texts, latents, pixels.
package struct Pipeline {
  /// An intermediate value of a run, for comparison.
  package enum Value {
    /// The latent at the end of a stage.
    case latent(unit: Int, stage: Int, Tensor)
    /// The latent that the VAE is about to decode.
    case decoderInput(Tensor)
    /// A region of the decoded clip, in −1…1.
    case decoded(ClipRegion)
  }

  let parts: LoadedModel
  let variant: String
  private let resume: ResumeState?
  let historyCaching: HistoryCaching
  private let historyFolder: String?
  private let showsPreviews: Bool

  /// Creates a pipeline over a model.
  package init(
    _ parts: LoadedModel, variant: String, resume: ResumeState? = nil,
    historyCaching: HistoryCaching = .automatic, historyFolder: String? = nil, showsPreviews: Bool = false
  ) {
    self.parts = parts
    self.variant = variant
    self.resume = resume
    self.historyCaching = historyCaching
    self.historyFolder = historyFolder
    self.showsPreviews = showsPreviews
  }

  /// Generates a clip.
  ///
  /// - Parameters:
  ///   - image: the first frame, when the request starts from one.
  ///   - tiling: how the VAE divides frames; nil for the request's choice.
  ///   - onValue: receives intermediate values.
  ///   - onEvent: receives progress.
  /// - Throws: `BenbenError`, and any error thrown by `onValue` or `onEvent`.
  package func run(
    _ request: GenerationRequest, image: Clip? = nil, noise: any NoiseSource,
    tiling: CausalVideoVAE.Tiling? = nil, onValue: (Value) throws -> Void = { _ in },
    onEvent: (GenerationEvent) throws -> Void = { _ in }
  ) throws -> Clip {
    let transformer = try parts.transformer(variant: variant)
    let vae = try parts.vae()
    let inputs = transformer.inputs
    let tiling = tiling ?? request.vaeTiling.tiling
    guard inputs.latentChannels == vae.config.latentChannels else {
      throw mismatch("latents of \(inputs.latentChannels) and of \(vae.config.latentChannels) channels")
    }
    let calls = try request.calls(for: inputs)
    func phase<Result>(_ phase: GenerationEvent.Phase, _ body: () throws -> Result) throws -> Result {
      try Task.checkCancellation()
      try onEvent(.began(phase))
      let result = try body()
      try onEvent(.ended(phase))
      return result
    }
    let texts = try phase(.texts) { try embeddings(request, onEvent: onEvent) }
    guard texts.allSatisfy(inputs.accepts) else {
      throw mismatch(
        "the text encoders are \(texts[0].tokens.shape[1]) and \(texts[0].pooled.shape[1]) wide, the transformer "
          + "expects \(inputs.textWidth) and \(inputs.pooledWidth)")
    }
    let initial = try noise.initial(
      shape: [inputs.latentChannels, request.latentFrames, request.latentHeight, request.latentWidth])
    let imageLatent = try phase(.image) {
      try latent(of: image, request, by: vae, isTiled: tiling.tileSize != nil, noise: noise)
    }
    let latents = try phase(.latents) {
      try parts.readAhead(ModelFamily.transformerPrefix + variant)
      return try sample(
        request, calls, with: transformer, texts: texts, initial: initial, image: imageLatent, noise: noise,
        onValue: onValue, onEvent: onEvent)
    }
    let input = parts.family.latentNormalization.decoderInput(latents)
    try onValue(.decoderInput(input))
    return try phase(.decoding) {
      try parts.readAhead(ModelFamily.vaeComponent)
      return try decode(input, with: vae, tiling: tiling, onValue: onValue, onEvent: onEvent)
    }
  }

  private func mismatch(_ why: String) -> BenbenError {
    BenbenError(
      .malformed, "the model's components do not fit together", at: parts.native.path, because: why,
      remedies: ["Convert a checkpoint whose folders are all of one release."])
  }

  /// Returns the embeddings of [negative, prompt], or the prompt's alone without guidance.
  func embeddings(
    _ request: GenerationRequest, onEvent: (GenerationEvent) throws -> Void
  ) throws -> [TextEmbedding] {
    let texts =
      request.guidanceScale > 0 ? [request.negativePrompt, request.fullPrompt] : [request.fullPrompt]
    if let kept = try resume?.embeddings(of: texts) { return kept }
    let encoders = try parts.textEncoders()
    let tokens = try texts.map(encoders.tokenize)
    for (text, tokens) in zip(texts, tokens) {
      // Two CLIPs cut the same text at the same place.
      if let clip = tokens.clip.first(where: \.isCut) {
        try onEvent(.cut(text: text, encoder: "CLIP", tokens: clip.ids.count))
      }
      if tokens.t5.isCut { try onEvent(.cut(text: text, encoder: "T5", tokens: tokens.t5.ids.count)) }
    }
    let results = try encoders.encode(tokens, in: parts.context) {
      try onEvent(.encoded(block: $0, of: $1))
    }
    for result in results {
      for tensor in [result.tokens, result.pooled] {
        try tensor.requireFinite("the embedding of a text", in: parts.native)
      }
    }
    try resume?.keep(results, of: texts)
    return results
  }

  private func latent(
    of image: Clip?, _ request: GenerationRequest, by vae: CausalVideoVAE, isTiled: Bool,
    noise: any NoiseSource
  ) throws -> Tensor? {
    guard (image != nil) == request.startsFromImage else {
      throw BenbenError(
        .usage, "the request and the image do not fit", at: request.prompt,
        because: request.startsFromImage ? "the request starts from an image" : "the request starts from none"
      )
    }
    guard let image else { return nil }
    guard (image.width, image.height) == (request.width, request.height), image.count == 1 else {
      throw BenbenError(
        .usage, "the image has another size than the clip", at: "\(image.width)×\(image.height)",
        because: "the clip is \(request.width)×\(request.height)")
    }
    let (mean, deviation) = try vae.encode(image.encoderInput, isTiled: isTiled, in: parts.context)
    return parts.family.latentNormalization.imageLatent(
      mean: mean, deviation: deviation, noise: try noise.posterior(shape: mean.shape))
  }

  private func sample(
    _ request: GenerationRequest, _ calls: [TransformerCall], with transformer: any PyramidTransformer,
    texts: [TextEmbedding], initial: Tensor, image: Tensor?, noise: any NoiseSource,
    onValue: (Value) throws -> Void, onEvent: (GenerationEvent) throws -> Void
  ) throws -> [Tensor] {
    let sampler = PyramidSampler(transformer, in: parts.context)
    let unitCount = request.units.count
    var finished =
      try resume?.latents(
        of: request, image: image,
        shape: request.latentShape(stage: PyramidFlowSchedule.stageCount - 1, channels: initial.shape[0]))
      ?? []
    let nodes = request.approximation.historyNodes
    let approximation = try nodes.map {
      try sampler.makeApproximation(nodes: $0, calls, texts: texts, in: historyFolder)
    }
    // Where there is no place for a cache, everything is computed.
    let cache =
      historyCaching == .off
      ? nil
      : try? sampler.makeCache(
        calls, texts: texts, in: historyFolder, budget: historyCaching.budget,
        reserved: approximation?.byteCount ?? 0)
    let estimate = try workEstimate(texts)
    func work(nodes: Int?) -> [Double] {
      estimate.work(of: calls, reusesHistory: cache != nil, historyNodes: nodes)
    }
    let (work, workWithoutNodes) = (work(nodes: nodes), work(nodes: nodes.map { _ in 0 }))
    let allWork = work.reduce(0, +)
    let resumed = calls.prefix { $0.unit < finished.count }.count
    var done = work[..<resumed].reduce(0, +)
    if !finished.isEmpty {
      try onEvent(
        .resumed(units: finished.count, of: unitCount, calls: resumed, fraction: done / allWork))
    }
    return try sampler.generate(
      calls, texts: texts, initial: initial, image: image, resumed: finished, noise: noise, cache: cache,
      approximation: approximation,
      onHistory: { call, share in
        let ofNodes = work[call.index] - workWithoutNodes[call.index]
        let fraction = (done + share * ofNodes) / allWork
        try onEvent(.approximated(call, of: calls.count, units: unitCount, fraction: fraction))
      },
      onLatent: { call, latent in
        try onValue(.latent(unit: call.unit, stage: call.stage, latent))
        if call.endsUnit {
          finished.append(latent)
          try resume?.keep(finished, of: request, image: image)
          if showsPreviews {
            let frame = finished.count - 1 + (image == nil ? 0 : 1)
            try onEvent(.previewed(preview(of: latent, frame: frame), latent: finished.count, of: unitCount))
          }
        }
      },
      onCall: { call in
        done += work[call.index]
        try Task.checkCancellation()
        try onEvent(.called(call, of: calls.count, units: unitCount, fraction: done / allWork))
      })
  }

  /// The work of the transformer's calls for some texts.
  func workEstimate(_ texts: [TextEmbedding]) throws -> WorkEstimate {
    let component = try parts.native.component(ModelFamily.transformerPrefix + variant)
    return WorkEstimate(
      width: try parts.family.transformerWidth(component.name, config: component.config),
      textCounts: texts.map { $0.tokens.shape[0] })
  }

  /// Decodes a latent, whose normalisation is undone already.
  package func decode(
    _ input: Tensor, with vae: CausalVideoVAE, tiling: CausalVideoVAE.Tiling,
    onValue: (Value) throws -> Void = { _ in }, onEvent: (GenerationEvent) throws -> Void = { _ in }
  ) throws -> Clip {
    let shape = CausalVideoVAE.decodedShape(input.shape)
    var clip = Clip(black: shape[0], width: shape[2], height: shape[1])
    try vae.decode(input, tiling: tiling, in: parts.context) { done, total in
      try Task.checkCancellation()
      try onEvent(.decoded(latents: done, of: total))
    } onPart: { region in
      clip.place(region, shape: shape)
      try onValue(.decoded(region))
    }
    return clip
  }
}
