import Checkpoints
import Media
import Models
import Parity
import Tensors

/// Verifies a model against a golden trace.
struct TraceVerification {
  let loaded: LoadedModel
  let trace: GoldenTrace
  let thresholds: Thresholds
  /// The recorded run, valid.
  private let request: GenerationRequest
  let variant: String?
  let options: CommonOptions
  private(set) var report: ParityReport

  init(
    _ loaded: LoadedModel, trace: GoldenTrace, bundle: GoldenBundle?, thresholds: Thresholds,
    variant: String?,
    options: CommonOptions,
    failFast: Bool
  ) throws {
    request = try TraceRequest.generation(trace, family: loaded.family.name)
    self.loaded = loaded
    self.trace = trace
    self.thresholds = thresholds
    self.variant = variant
    self.options = options
    report = ParityReport(
      golden: ReportIdentity.golden(trace.path, trace.request, bundle: bundle.map { ($0, loaded.native) }),
      model: ReportIdentity.model(loaded.native),
      failFast: failFast)
  }

  /// Makes the comparisons of the given modes.
  mutating func run(_ modes: Set<ComparisonMode>) throws -> ParityReport {
    do {
      if modes.contains(.teacherForced) { try teacherForced() }
      if modes.contains(.freeRunning) { try freeRunning() }
    } catch is ParityReport.StoppedAtFirstFailure {}
    guard !(report.stages.isEmpty && report.frames.isEmpty) else {
      throw BenbenError(
        .malformed, "nothing to compare", at: trace.path,
        because: "the trace holds nothing that this mode computes")
    }
    return report
  }

  private mutating func add(
    _ path: String, _ values: Tensor, _ golden: Tensor, mode: ComparisonMode, note: String? = nil
  ) throws {
    guard values.count == golden.count else {
      throw BenbenError(
        .malformed, "the trace is of another model or run", at: "\(trace.path):/\(path)",
        because: "it has the shape \(golden.shape.text), ours is \(values.shape.text)")
    }
    let teacherForced = path.hasPrefix("text/") ? thresholds.text : thresholds.teacherForced
    let threshold = mode == .teacherForced ? teacherForced : thresholds.freeRunning
    try report.add(
      StageResult(
        path: path, mode: mode, metrics: ErrorMetrics(values.elements, reference: golden.elements),
        threshold: threshold, note: note))
  }

  // MARK: Teacher-forced

  private mutating func teacherForced() throws {
    try verifyTexts()
    try verifyEncoding()
    try verifySampling()
    try verifyDecoding()
  }

  private mutating func verifyTexts() throws {
    guard try trace.text(.prompt) != nil || trace.text(.negative) != nil else { return }
    let encoders = try loaded.textEncoders()
    for kind in GoldenTrace.TextKind.allCases {
      guard let text = try trace.text(kind) else { continue }
      let tokens = try encoders.tokenize(text)
      let group = "text/\(kind.rawValue)"
      let mask = (0..<tokens.t5.ids.count).map { $0 < tokens.t5.count ? 1 : 0 }
      let clipNames = ["clip_ids", "clip2_ids"].prefix(tokens.clip.count)
      let clipIDs = zip(clipNames, tokens.clip).map { ($0, $1.ids) }
      for (name, ids) in clipIDs + [("t5_ids", tokens.t5.ids), ("t5_mask", mask)] {
        guard let golden = try trace.tokens(kind, name) else { continue }
        try addIDs("\(group)/\(name)", ids, golden)
      }
      let clips = try clipNames.compactMap { try trace.tokens(kind, $0) }
      guard clips.count == tokens.clip.count, let golden = try trace.embedding(kind),
        let t5 = try trace.tokens(kind, "t5_ids")
      else { continue }
      // The golden's own ids, so that a wrong token does not show twice.
      let forced = TextEncoders.Tokens(
        clip: clips.map { TokenizedText(ids: $0, count: $0.count) },
        t5: TokenizedText(ids: t5, count: golden.tokens.shape[0]))
      let embedding = try encoders.encode([forced], in: loaded.context)[0]
      try add(
        "\(group)/t5_embeds", embedding.tokens, golden.tokens, mode: .teacherForced,
        note: "\(t5.count - golden.tokens.shape[0]) padded positions are left out")
      try add("\(group)/pooled", embedding.pooled, golden.pooled, mode: .teacherForced)
    }
  }

  /// Ids must be equal, whatever the thresholds.
  private mutating func addIDs(_ path: String, _ ids: [Int], _ golden: [Int]) throws {
    guard ids.count == golden.count else {
      throw BenbenError(
        .malformed, "the trace is of another model or run", at: "\(trace.path):/\(path)",
        because: "it has \(golden.count) ids, the tokenizer gives \(ids.count)")
    }
    try report.add(
      StageResult(
        path: path, mode: .teacherForced,
        metrics: ErrorMetrics(ids.map(Float.init), reference: golden.map(Float.init)),
        threshold: 0))
  }

  private mutating func verifySampling() throws {
    guard trace.request.mode != "vae", let texts = try TraceRequest.texts(trace, request) else { return }
    let transformer = try loaded.transformer(variant: try loaded.variant(variant))
    let inputs = transformer.inputs
    try request.requireFits(inputs)
    let sampler = PyramidSampler(transformer, in: loaded.context)
    try TraceRequest.require(texts, fit: inputs, trace)
    let shape = [inputs.latentChannels, request.latentFrames, request.latentHeight, request.latentWidth]
    let starts = try trace.tensor("noise/initial", shape: [1] + shape).map {
      sampler.startingPoints($0.reshaped(shape))
    }
    let progress = Progress(isQuiet: options.quiet)
    progress.begin("verifying \(trace.path)")
    let total = request.stepCount
    var call = 0
    var finished: [Tensor] = []
    if request.startsFromImage {
      guard let image = try goldenImageLatent(channels: inputs.latentChannels) else { return }
      finished = [image]
    }
    for unit in request.units {
      let history = PyramidSampler.history(finished)
      var latent = starts?[unit.index]
      for stage in 0..<PyramidFlowSchedule.stageCount {
        let shape = latentShape(stage: stage, channels: inputs.latentChannels)
        if stage > 0, let before = latent {
          latent = try entered(sampler, unit: unit.index, stage: stage, from: before)
        }
        let count = unit.steps[stage]
        try verifySchedule(sampler.schedule, unit: unit.index, stage: stage, count: count)
        for step in 0..<count {
          let place = Place(unit: unit.index, stage: stage, step: step, call: call)
          latent = try verifyStep(
            sampler, place, latent: latent, shape: shape, history: history[stage], texts: texts,
            stepCount: count, guidance: unit.guidanceScale)
          call += 1
          try progress.update("call \(call)/\(total)", done: call, of: total) {
            "\(($0 * 100).rounded() / 100)/s"
          }
        }
        latent = try verifyLatent(unit: unit.index, stage: stage, shape: shape, computed: latent)
      }
      guard let latent else { return }
      finished.append(latent)
    }
  }

  /// One call of the transformer inside a run.
  private struct Place {
    let unit: Int, stage: Int, step: Int, call: Int

    var path: String { "dit/unit\(unit)/stage\(stage)/step\(step)" }
  }

  /// The shape of a latent at a stage; a recorded one must have exactly it.
  private func latentShape(stage: Int, channels: Int) -> Shape {
    let halvings = PyramidFlowSchedule.stageCount - 1 - stage
    return [channels, 1, request.latentHeight >> halvings, request.latentWidth >> halvings]
  }

  private func entered(
    _ sampler: PyramidSampler, unit: Int, stage: Int, from latent: Tensor
  ) throws -> Tensor? {
    let shape = [latent.shape[0], 1, 2 * latent.shape[2], 2 * latent.shape[3]]
    guard let noise = try trace.tensor("noise/block/unit\(unit)/stage\(stage)", shape: [1] + shape) else {
      return nil
    }
    return sampler.enter(stage: stage, from: latent, noise: noise.reshaped(shape))
  }

  private mutating func verifySchedule(
    _ schedule: PyramidFlowSchedule, unit: Int, stage: Int, count: Int
  ) throws {
    let group = "scheduler/unit\(unit)/stage\(stage)"
    let times = schedule.timesteps(stage: stage, count: count).map(Float.init)
    let sigmas = schedule.sigmas(count: count).map(Float.init)
    if let golden = try trace.tensor("\(group)/timesteps") {
      try add("\(group)/timesteps", Tensor([times.count], times), golden, mode: .teacherForced)
    }
    if let golden = try trace.tensor("\(group)/sigmas") {
      try add("\(group)/sigmas", Tensor([sigmas.count], sigmas), golden, mode: .teacherForced)
    }
  }

  /// Compares one call's inputs and prediction, and takes the Euler step with the golden's prediction.
  ///
  /// - Returns: the latent after the step, or nil when it does not follow from what was recorded.
  private mutating func verifyStep(
    _ sampler: PyramidSampler, _ place: Place, latent: Tensor?, shape: Shape, history: [Tensor],
    texts: [TextEmbedding],
    stepCount: Int, guidance: Float
  ) throws -> Tensor? {
    let time = sampler.schedule.timesteps(stage: place.stage, count: stepCount)[place.step]
    if let golden = try trace.tensor("\(place.path)/timestep", shape: [texts.count]) {
      let ours = Tensor(golden.shape, Array(repeating: Float(time), count: golden.count))
      try add("\(place.path)/timestep", ours, golden, mode: .teacherForced)
    }
    // Our own history and latent, made from the golden's earlier ones, must be the golden's inputs.
    let computed = history + (latent.map { [$0] } ?? [])
    let shapes = history.map(\.shape) + [shape]
    var inputs: [Tensor] = []
    for (index, shape) in shapes.enumerated() {
      let path = "\(place.path)/input\(index)"
      guard let golden = try trace.tensor(path, shape: [texts.count] + shape) else { break }
      if index < computed.count {
        let ours = Tensor.concatenated(texts.map { _ in computed[index] })
        try add(path, ours, golden, mode: .teacherForced)
      }
      inputs.append(golden.rows(0..<1).reshaped(shape))
    }
    guard inputs.count == shapes.count, let input = inputs.last,
      let golden = try trace.tensor("\(place.path)/prediction", shape: [texts.count] + input.shape)
    else { return nil }
    let observer = ActivationComparison(trace, call: place.call, threshold: thresholds.teacherForced)
    let predictions = try sampler.predict(
      latent: input, history: Array(inputs.dropLast()), timestep: time, texts: texts, observer: observer)
    for result in try observer?.finish() ?? [] { try report.add(result) }
    report.callsCompared += 1
    try add("\(place.path)/prediction", .concatenated(predictions), golden, mode: .teacherForced)
    let flows = (0..<texts.count).map { golden.rows($0..<$0 + 1).reshaped(input.shape) }
    let sigmas = sampler.schedule.sigmas(count: stepCount)
    return sampler.step(
      input, along: sampler.guided(flows, scale: guidance), from: sigmas[place.step],
      to: sigmas[place.step + 1])
  }

  /// Compares a stage's latent; the golden's own goes on.
  private mutating func verifyLatent(
    unit: Int, stage: Int, shape: Shape, computed: Tensor?
  ) throws -> Tensor? {
    let path = "latents/unit\(unit)/stage\(stage)"
    guard let golden = try trace.tensor(path, shape: [1] + shape) else { return computed }
    if let computed { try add(path, computed, golden, mode: .teacherForced) }
    return golden.reshaped(shape)
  }

  /// The first image of an image-to-video run, and the distribution of its latent.
  private mutating func verifyEncoding() throws {
    let path = "vae/encode/input"
    let shape = [3, 1, request.height, request.width]
    guard let input = try trace.tensor(path, shape: [1] + shape) else { return }
    if let image = try TraceRequest.image(trace) {
      try add(path, CausalVideoVAE.channelsFirst(image), input, mode: .teacherForced)
    }
    let frame = CausalVideoVAE.channelsLast(input.reshaped(shape))
    let isTiled = try TraceRequest.tiling(trace)?.tileSize != nil
    let (mean, deviation) = try loaded.vae().encode(frame, isTiled: isTiled, in: loaded.context)
    for (path, values) in [("vae/encode/mean", mean), ("vae/encode/std", deviation)] {
      if let golden = try trace.tensor(path) { try add(path, values, golden, mode: .teacherForced) }
    }
  }

  /// The latent that the recorded run started from, or nil when it was not recorded.
  private func goldenImageLatent(channels: Int) throws -> Tensor? {
    let shape = latentShape(stage: PyramidFlowSchedule.stageCount - 1, channels: channels)
    func recorded(_ name: String) throws -> Tensor? {
      try trace.tensor("vae/encode/\(name)", shape: [1] + shape)?.reshaped(shape)
    }
    guard let mean = try recorded("mean"), let deviation = try recorded("std"),
      let noise = try recorded("noise")
    else { return nil }
    return loaded.family.latentNormalization.imageLatent(mean: mean, deviation: deviation, noise: noise)
  }

  private mutating func verifyDecoding() throws {
    guard let tiling = try TraceRequest.tiling(trace) else { return }
    let vae = try loaded.vae()
    let frame = [vae.config.latentChannels, 1, request.latentHeight, request.latentWidth]
    let shape = [frame[0], request.latentFrames, frame[2], frame[3]]
    guard let golden = try trace.tensor("vae/input", shape: [1] + shape) else { return }
    if trace.request.mode != "vae" {
      let image = request.startsFromImage ? try goldenImageLatent(channels: frame[0]) : nil
      let latents =
        try (image.map { [$0] } ?? [])
        + request.units.compactMap {
          try trace.tensor("latents/unit\($0.index)/stage2", shape: [1] + frame)?.reshaped(frame)
        }
      if latents.count == request.latentFrames {
        let input = loaded.family.latentNormalization.decoderInput(latents)
        try add("vae/input", input, golden, mode: .teacherForced)
      }
    }
    let decoded = Tensor(CausalVideoVAE.decodedShape(shape))
    let clip = try Generator(loaded, quiet: options.quiet).decode(
      golden.reshaped(shape), with: vae, tiling: tiling
    ) { decoded.place($0) }
    try compare(decoded, clip, mode: .teacherForced)
  }

  private mutating func compare(_ decoded: Tensor, _ clip: FrameSequence, mode: ComparisonMode) throws {
    if let golden = try trace.tensor("vae/output", shape: [1, 3, -1, -1, -1]) {
      try add("vae/output", CausalVideoVAE.channelsFirst(decoded), golden, mode: mode)
    }
    if let golden = try trace.frames() { try compareFrames(clip, golden, mode: mode) }
  }

  private mutating func compareFrames(
    _ frames: FrameSequence, _ golden: (shape: Shape, bytes: [UInt8]), mode: ComparisonMode
  ) throws {
    guard golden.shape == [frames.count, frames.height, frames.width, 3],
      let reference = FrameSequence(width: frames.width, height: frames.height, bytes: golden.bytes)
    else {
      throw BenbenError(
        .malformed, "the trace is of another run", at: "\(trace.path):/frames",
        because:
          "its shape is \(golden.shape.text), ours is \(frames.count)×\(frames.height)×\(frames.width)×3")
    }
    try report.add(
      FramesResult(
        mode: mode, frames, reference: reference,
        vmaf: VMAF.scores(of: frames, reference: reference, options),
        thresholds: thresholds.frames))
  }

  // MARK: Free-running

  private mutating func freeRunning() throws {
    guard trace.request.mode != "vae" else { return }
    let image = try TraceRequest.image(trace)
    guard image != nil || !request.startsFromImage else { return }
    let tiling = try TraceRequest.tiling(trace) ?? .saveMemory
    let generator = Generator(loaded, variant: variant, quiet: options.quiet)
    var latents: [(path: String, latent: Tensor)] = []
    var decoded = Tensor([0])
    let clip = try generator.run(request, image: image, noise: GoldenNoise(trace), tiling: tiling) {
      switch $0 {
      case .stage(let unit, let stage, let latent):
        latents.append(("latents/unit\(unit)/stage\(stage)", latent))
      case .decoderInput(let input):
        latents.append(("vae/input", input))
        decoded = Tensor(CausalVideoVAE.decodedShape(input.shape))
      case .part(let part): decoded.place(part)
      }
    }
    for (path, latent) in latents {
      if let golden = try trace.tensor(path) { try add(path, latent, golden, mode: .freeRunning) }
    }
    try compare(decoded, clip, mode: .freeRunning)
  }
}
