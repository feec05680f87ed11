import Checkpoints
import Kernels
import Models
import Parity
import Tensors

/// The road from a request to frames: text, latents, pixels.
struct Generator {
  private let loaded: LoadedModel
  private let variant: String?
  private let progress: Progress
  private let isQuiet: Bool
  private let kept: KeptResults
  private let times: GenerationTimes

  init(
    _ loaded: LoadedModel, variant: String? = nil, kept: KeptResults = KeptResults(),
    times: GenerationTimes = GenerationTimes(), quiet: Bool
  ) {
    self.times = times
    self.loaded = loaded
    self.variant = variant
    self.kept = kept
    isQuiet = quiet
    progress = Progress(isQuiet: quiet)
  }

  /// What happens on the road.
  enum Event {
    /// A stage ended with this latent.
    case stage(unit: Int, stage: Int, latent: Tensor)
    /// The VAE is about to decode this.
    case decoderInput(Tensor)
    /// A part of the clip is decoded, in −1…1.
    case part(ClipPart)
  }

  /// Generates a clip.
  ///
  /// - Parameters:
  ///   - image: the first frame, [1, height, width, 3] in −1…1, when the request starts from one.
  ///   - tiling: how the VAE decodes, and whether it encodes in tiles.
  ///   - onEvent: what it throws ends the run.
  func run(
    _ request: GenerationRequest, image: Tensor? = nil, noise: any NoiseSource,
    tiling: CausalVideoVAE.Tiling = .saveMemory,
    onEvent: (Event) throws -> Void = { _ in }
  ) throws -> FrameSequence {
    let transformer = try loaded.transformer(variant: try loaded.variant(variant))
    let vae = try loaded.vae()
    let inputs = transformer.inputs
    guard inputs.latentChannels == vae.config.latentChannels else {
      throw mismatch("latents of \(inputs.latentChannels) and of \(vae.config.latentChannels) channels")
    }
    try request.requireFits(inputs)
    let texts = try embeddings(request)
    times.end("texts")
    Heap.release()
    guard texts.allSatisfy(inputs.accepts) else {
      throw mismatch(
        "the text encoders are \(texts[0].tokens.shape[1]) and \(texts[0].pooled.shape[1]) wide, the transformer "
          + "expects \(inputs.textWidth) and \(inputs.pooledWidth)")
    }
    let channels = inputs.latentChannels
    let initial = try noise.initial(
      shape: [channels, request.latentFrames, request.latentHeight, request.latentWidth])
    let imageLatent = try image.map { image in
      progress.begin("encoding the image")
      let (mean, deviation) = try vae.encode(image, isTiled: tiling.tileSize != nil, in: loaded.context)
      return loaded.family.latentNormalization.imageLatent(
        mean: mean, deviation: deviation, noise: try noise.posterior(shape: mean.shape))
    }
    times.end("image")
    let latents = try sample(
      request, with: transformer, texts: texts, initial: initial, image: imageLatent, noise: noise,
      onEvent: onEvent)
    times.end("latents")
    Heap.release()
    let input = loaded.family.latentNormalization.decoderInput(latents)
    try onEvent(.decoderInput(input))
    defer { times.end("decoding") }
    return try decode(input, with: vae, tiling: tiling) { try onEvent(.part($0)) }
  }

  private func mismatch(_ why: String) -> BenbenError {
    BenbenError(
      .malformed, "the model's components do not fit together", at: loaded.native.path, because: why,
      remedies: ["Convert a checkpoint whose folders are all of one release."])
  }

  /// [negative, prompt], or the prompt alone without guidance.
  private func embeddings(_ request: GenerationRequest) throws -> [TextEmbedding] {
    let texts =
      request.guidanceScale > 0 ? [request.negativePrompt, request.fullPrompt] : [request.fullPrompt]
    if let known = try kept.embeddings(of: texts, by: loaded) { return known }
    let encoders = try loaded.textEncoders()
    let results = try encoders.encode(texts.map(encoders.tokenize), in: loaded.context)
    try kept.keep(results, of: texts, by: loaded)
    return results
  }

  private func sample(
    _ request: GenerationRequest, with transformer: any PyramidTransformer, texts: [TextEmbedding],
    initial: Tensor, image: Tensor?, noise: any NoiseSource,
    onEvent: (Event) throws -> Void
  ) throws -> [Tensor] {
    let sampler = PyramidSampler(transformer, in: loaded.context)
    var finished = try kept.latents(
      of: request, image: image,
      shape: [initial.shape[0], 1, request.latentHeight, request.latentWidth], by: loaded)
    let known = finished
    if !known.isEmpty, !isQuiet {
      Console.note("going on after \(known.count) of \(request.units.count) latent frames")
    }
    progress.begin("generating \(request.frameCount) frames of \(request.width)×\(request.height)")
    return try sampler.generate(
      request, texts: texts, initial: initial, image: image, known: known, noise: noise
    ) { event in
      switch event {
      case .step(let number, let total, let unit, let stage, let share):
        times.endStep(
          unit: unit, stage: stage, tokens: request.latentTokens(unit: unit, stage: stage))
        let title =
          "latent \(unit + 1)/\(request.units.count), stage \(stage + 1)/3, step \(number)/\(total)"
        try progress.update(title, done: number, of: total, share: share, rate: Self.pace)
      case .known(let steps, let share): progress.skip(done: steps, share: share)
      case .stage(let unit, let stage, let latent):
        try onEvent(.stage(unit: unit, stage: stage, latent: latent))
        if stage == PyramidFlowSchedule.stageCount - 1 {
          finished.append(latent)
          try kept.keep(finished, of: request, image: image, by: loaded)
        }
      }
    }
  }

  /// Decodes a latent with progress.
  func decode(
    _ input: Tensor, with vae: CausalVideoVAE, tiling: CausalVideoVAE.Tiling,
    onPart: (ClipPart) throws -> Void = { _ in }
  ) throws -> FrameSequence {
    progress.begin("decoding")
    var clip = Clip(CausalVideoVAE.decodedShape(input.shape))
    try vae.decode(input, tiling: tiling, in: loaded.context) { done, total in
      try progress.update("decoding chunk \(done)/\(total)", done: done, of: total, rate: Self.pace)
    } onPart: {
      clip.place($0)
      try onPart($0)
    }
    return try clip.frames()
  }

  private static func pace(_ perSecond: Double) -> String {
    let value = perSecond >= 1 ? perSecond : 1 / perSecond
    let digits = (value * 100).rounded() / 100
    return perSecond >= 1 ? "\(digits)/s" : "\(digits) s each"
  }
}

/// Noise that a golden trace recorded.
struct GoldenNoise: NoiseSource {
  private let trace: GoldenTrace

  init(_ trace: GoldenTrace) {
    self.trace = trace
  }

  func initial(shape: Shape) throws -> Tensor {
    try recorded("noise/initial", [1] + shape).reshaped(shape)
  }

  func posterior(shape: Shape) throws -> Tensor {
    try recorded("vae/encode/noise", [1] + shape).reshaped(shape)
  }

  func block(unit: Int, stage: Int, shape: Shape) throws -> Tensor {
    try recorded("noise/block/unit\(unit)/stage\(stage)", [1] + shape).reshaped(shape)
  }

  private func recorded(_ name: String, _ shape: Shape) throws -> Tensor {
    guard let tensor = try trace.tensor(name, shape: shape) else {
      throw BenbenError(
        .malformed, "the trace has not the noise that this run needs", at: "\(trace.path):/\(name)",
        because: "it was not recorded", remedies: ["Ask for the size, length and stages of the recorded run."]
      )
    }
    return tensor
  }
}
