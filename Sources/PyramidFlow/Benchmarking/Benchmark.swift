import Checkpoints
import Files
import JSON
import Kernels
import Models
import Tensors

/// A measurement of how fast parts of a model run on this machine, with noise for inputs.
package struct Benchmark: Sendable {
  /// A part of the work.
  package enum Part: String, CaseIterable, Sendable {
    /// One call of the transformer for two texts of 128 tokens; its shape is `WIDTHxHEIGHT:LATENT:STAGE`, latent frames and
    /// stages counted from 1.
    case dit
    /// The encoding of a text; its shape is the number of tokens.
    case t5
    /// The decoding of a clip; its shape is `WIDTHxHEIGHT:LATENTS`.
    case vae
    /// The conversion of a checkpoint; its shape is the type of weights.
    case convert

    /// What a 384p clip needs: the first frame, the ninth latent's coarsest and finest stage; a prompt; the first latent,
    /// and one more.
    var shapes: [String] {
      switch self {
      case .dit: ["640x384:1:3", "640x384:9:1", "640x384:9:3"]
      case .t5: ["40"]
      case .vae: ["640x384:1", "256x256:1", "256x256:2"]
      case .convert: ["int8"]
      }
    }
  }

  private let part: Part
  private let model: String
  private let shapes: [String]
  private let repeats: Int
  private let variant: String?
  private let threads: Int?

  /// Creates a benchmark.
  ///
  /// - Parameters:
  ///   - model: the model folder; for conversions a checkpoint, too.
  ///   - shapes: what to compute; empty for what a 384p clip needs.
  ///   - repeats: how often; the fastest counts.
  ///   - variant: the transformer; nil for the only one.
  ///   - threads: the number of threads that kernels use; nil for the default.
  /// - Throws: `BenbenError` for a text that is no shape of the part.
  package init(
    _ part: Part, model: String, shapes: [String] = [], repeats: Int = 3, variant: String? = nil,
    threads: Int? = nil
  ) throws {
    self.part = part
    self.model = model
    self.shapes = shapes.isEmpty ? part.shapes : shapes
    self.repeats = repeats
    self.variant = variant
    self.threads = threads
    for shape in shapes where part != .convert { _ = try numbers(shape) }
  }

  /// Measures everything.
  ///
  /// - Parameter onRound: receives what was just measured, for people.
  package func run(onRound: (String) -> Void) throws -> BenchmarkReport {
    let (rows, limit) = try withoutActuallyEscaping(onRound) { onRound in
      try KernelContext.scoped(threads: threads) { context in
        // The limit is measured before and after: the processor of a shared or warm machine is not always as fast.
        let before = try limits(in: context)
        let rows = try shapes.map { try measure($0, in: context, onRound) }
        return (rows, before.merging(try limits(in: context), uniquingKeysWith: max))
      }
    }
    return BenchmarkReport(
      part: part, threads: threads ?? ProcessorCount.preferred, rows: rows, limit: limit)
  }

  private func limits(in context: KernelContext) throws -> [InputPrecision: Double] {
    if part == .convert { return [:] }
    // Short beside the work, and so often, that one round without others on the machine is among them.
    return try PeakThroughput.operationsPerSecond(rounds: 2 * repeats, in: context)
  }

  private func measure(
    _ shape: String, in context: KernelContext, _ onRound: (String) -> Void
  ) throws -> BenchmarkReport.Row {
    switch part {
    case .dit: try transformer(shape, in: context, onRound)
    case .t5: try encoder(shape, in: context, onRound)
    case .vae: try decoder(shape, in: context, onRound)
    case .convert: try conversion(shape, onRound)
    }
  }

  /// Runs the work as often as asked for.
  private func timed(
    _ shape: String, _ details: [String: JSONValue], in context: KernelContext?,
    _ onRound: (String) -> Void, _ work: () throws -> Void
  ) throws -> BenchmarkReport.Row {
    let clock = ContinuousClock()
    var seconds: [Double] = []
    let before = context?.operations ?? OperationCount()
    for round in 1...repeats {
      try Task.checkCancellation()
      seconds.append(try clock.measure(work) / .seconds(1))
      let rounded = BenchmarkReport.rounded(seconds[round - 1])
      onRound("\(part.rawValue) \(shape): \(round)/\(repeats), \(rounded) s")
    }
    let done = (context?.operations ?? OperationCount()).since(before).divided(by: Double(repeats))
    return BenchmarkReport.Row(shape: shape, details: details, seconds: seconds, work: done)
  }

  private func malformed(_ shape: String) -> BenbenError {
    BenbenError(
      .usage, "not a shape of this part", at: shape, because: "such as \(part.shapes[0])")
  }

  /// The numbers of a shape.
  private func numbers(_ shape: String) throws -> [Int] {
    let count =
      switch part {
      case .dit: 4
      case .vae: 3
      case .t5, .convert: 1
      }
    let parts = shape.split(omittingEmptySubsequences: false) { $0 == "x" || $0 == ":" }
    let numbers = parts.compactMap { Int($0) }
    guard numbers.count == parts.count, numbers.count == count,
      numbers.allSatisfy({ 1...100_000 ~= $0 })
    else { throw malformed(shape) }
    return numbers
  }

  /// Opens the model and builds a part of it, and says how long that took until the part could compute.
  private func open<Opened>(
    in context: KernelContext, _ build: (LoadedModel) throws -> Opened
  ) throws -> (part: Opened, seconds: JSONValue) {
    let clock = ContinuousClock()
    let start = clock.now
    let part = try build(LoadedModel(try NativeModel(path: model), in: context))
    return (part, .number(BenchmarkReport.rounded((clock.now - start) / .seconds(1))))
  }

  private func transformer(
    _ shape: String, in context: KernelContext, _ onRound: (String) -> Void
  ) throws -> BenchmarkReport.Row {
    let numbers = try numbers(shape)
    let (unit, stage) = (numbers[2] - 1, numbers[3] - 1)
    guard (0..<PyramidFlowSchedule.stageCount).contains(stage), unit < 32 else { throw malformed(shape) }
    let (transformer, opening) = try open(in: context) {
      try $0.transformer(variant: try $0.native.variant(variant))
    }
    let request = GenerationRequest(
      prompt: "", width: numbers[0], height: numbers[1], latentFrames: unit + 1, steps: [1, 1, 1],
      videoSteps: [1, 1, 1], guidanceScale: 7, videoGuidanceScale: 5)
    let inputs = transformer.inputs
    let calls = try request.calls(for: inputs)
    guard let call = calls.first(where: { $0.unit == unit && $0.stage == stage }) else {
      throw malformed(shape)
    }
    let noise = SeededNoise(seed: 1)
    let history = try call.historyShapes.map { try noise.initial(shape: $0) }
    let latent = try noise.initial(shape: call.latentShape)
    let texts = try (0..<2).map { _ in
      TextEmbedding(
        tokens: try noise.initial(shape: [T5Tokenizer.length, inputs.textWidth]),
        pooled: try noise.initial(shape: [1, inputs.pooledWidth]))
    }
    let sampler = PyramidSampler(transformer, in: context)
    let tokens = T5Tokenizer.length + call.latentTokens
    return try timed(
      shape, ["tokensPerSample": .integer(tokens), "samples": 2, "openSeconds": opening], in: context, onRound
    ) {
      _ = try sampler.predict(latent: latent, history: history, timestep: 500, texts: texts)
    }
  }

  private func encoder(
    _ shape: String, in context: KernelContext, _ onRound: (String) -> Void
  ) throws -> BenchmarkReport.Row {
    let tokens = try numbers(shape)[0]
    guard tokens <= T5Tokenizer.length else { throw malformed(shape) }
    let (encoder, opening) = try open(in: context) { try $0.t5() }
    return try timed(shape, ["tokens": .integer(tokens), "openSeconds": opening], in: context, onRound) {
      _ = try encoder([(0..<tokens).map { $0 % 32 + 3 }], in: context)
    }
  }

  private func decoder(
    _ shape: String, in context: KernelContext, _ onRound: (String) -> Void
  ) throws -> BenchmarkReport.Row {
    let numbers = try numbers(shape)
    guard numbers.prefix(2).allSatisfy({ CausalVideoVAEConfig.scale...8192 ~= $0 }), numbers[2] <= 32 else {
      throw malformed(shape)
    }
    let (vae, opening) = try open(in: context) { try $0.vae() }
    let latent = try SeededNoise(seed: 1).initial(
      shape: [
        vae.config.latentChannels, numbers[2], numbers[1] / CausalVideoVAEConfig.scale,
        numbers[0] / CausalVideoVAEConfig.scale,
      ])
    return try timed(
      shape, ["frames": .integer(8 * numbers[2] - 7), "openSeconds": opening], in: context, onRound
    ) {
      _ = try vae.decode(latent, tiling: .official, in: context)
    }
  }

  private func conversion(_ shape: String, _ onRound: (String) -> Void) throws -> BenchmarkReport.Row {
    guard let type = WeightType(rawValue: shape) else { throw malformed(shape) }
    let folder = try TemporaryFolder()
    var converter = ModelConverter(release: model)
    converter.mayRequantize = true
    let options = try QuantizationOptions(type: type)
    let bytes = try converter.plan(options).sourceByteCount
    return try timed(shape, ["sourceBytes": .integer(bytes)], in: nil, onRound) { [converter] in
      try converter.plan(options).write(to: folder.path + "/model", mayReplace: true)
    }
  }
}
