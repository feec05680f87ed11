import ArgumentParser
import Checkpoints
import Files
import Foundation
import JSON
import Kernels
import Models
import PyramidFlow
import Tensors

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how fast a model runs here.",
    discussion: """
      SHAPE is, for dit, WIDTHxHEIGHT:LATENT:STAGE (one call of the transformer for two texts of 128 tokens, latent frames and \
      stages counted from 1); for t5, the tokens of a text; for vae, WIDTHxHEIGHT:LATENTS; for convert, a type of weights. \
      Inputs are noise.
      """)

  @Argument(help: "dit, t5, vae or convert.")
  var part: Part

  @Argument(help: "The model folder; for convert a checkpoint, too.", completion: .directory)
  var model: String

  @Option(help: "What to compute (repeatable; default: what a 384p clip needs).")
  var shape: [String] = []

  @Option(name: .customLong("repeat"), help: "How often; the fastest counts.")
  var repeats = 3

  @Option(help: "Which transformer: 384p, 768p or image.", completion: .variant)
  var variant: String?

  @Option(help: "Write the measurements to this file as JSON (- for standard output).", completion: .file())
  var json: String?

  @OptionGroup var common: CommonOptions

  enum Part: String, ExpressibleByArgument, CaseIterable {
    case dit, t5, vae, convert

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

  /// One measurement.
  private struct Row {
    let shape: String
    let details: [String: JSONValue]
    let seconds: [Double]
    let work: OperationCount

    var best: Double { seconds.min() ?? 0 }
    var operationsPerSecond: Double { best > 0 ? work.total / best : 0 }
  }

  func validate() throws {
    if !(1...1000 ~= repeats) { throw ValidationError("--repeat must be 1 to 1000, not \(repeats)") }
    for shape in shape where part != .convert { _ = try numbers(shape) }
  }

  mutating func run() throws {
    let shapes = shape.isEmpty ? part.shapes : shape
    let measured = self
    let (rows, limit) = try KernelContext.scoped(threads: common.threads) { context in
      // The limit is measured before and after: the processor of a shared or warm machine is not always as fast.
      let before = try measured.limits(in: context)
      let rows = try shapes.map { try measured.measure($0, in: context) }
      return (rows, before.merging(try measured.limits(in: context), uniquingKeysWith: max))
    }
    let report = json(rows, limit: limit)
    if let json { try Console.write(report, to: json) }
    if json != "-" { try Console.print(text(rows, limit: limit)) }
  }

  private func limits(in context: KernelContext) throws -> [InputPrecision: Double] {
    if part == .convert { return [:] }
    return try InputPrecision.allCases.reduce(into: [:]) {
      if $1.isComputable { $0[$1] = try PeakThroughput.operationsPerSecond($1, in: context) }
    }
  }

  private func measure(_ shape: String, in context: KernelContext) throws -> Row {
    switch part {
    case .dit: try transformer(shape, in: context)
    case .t5: try encoder(shape, in: context)
    case .vae: try decoder(shape, in: context)
    case .convert: try conversion(shape)
    }
  }

  /// Runs the work as often as asked for.
  private func timed(
    _ shape: String, _ details: [String: JSONValue], in context: KernelContext?, _ work: () throws -> Void
  ) throws -> Row {
    let clock = ContinuousClock()
    var seconds: [Double] = []
    let before = context?.operations ?? OperationCount()
    for round in 1...repeats {
      try Interruption.check()
      seconds.append(try clock.measure(work) / .seconds(1))
      common.say("\(part.rawValue) \(shape): \(round)/\(repeats), \(Self.rounded(seconds[round - 1])) s")
    }
    var done = (context?.operations ?? OperationCount()).since(before)
    done = done.divided(by: Double(repeats))
    return Row(shape: shape, details: details, seconds: seconds, work: done)
  }

  private func malformed(_ shape: String) -> ValidationError {
    ValidationError("--shape \(shape): see benben help bench")
  }

  /// The numbers of a shape.
  private func numbers(_ shape: String) throws -> [Int] {
    let count =
      switch part {
      case .dit: 4
      case .vae: 3
      case .t5, .convert: 1
      }
    guard let numbers = shape.integers(separatedBy: { $0 == "x" || $0 == ":" }), numbers.count == count,
      numbers.allSatisfy({ 1...100_000 ~= $0 })
    else { throw malformed(shape) }
    return numbers
  }

  /// Opens the model and builds a part of it, and says how long that took until the part could compute.
  private func open<Part>(
    in context: KernelContext, _ build: (LoadedModel) throws -> Part
  ) throws -> (part: Part, seconds: JSONValue) {
    let clock = ContinuousClock()
    let start = clock.now
    let part = try build(LoadedModel(try NativeModel(path: model), in: context))
    return (part, .number(Self.rounded((clock.now - start) / .seconds(1))))
  }

  private func transformer(_ shape: String, in context: KernelContext) throws -> Row {
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
    let history = call.historyShapes.map { noise.initial(shape: $0) }
    let latent = noise.initial(shape: call.latentShape)
    let texts = (0..<2).map { _ in
      TextEmbedding(
        tokens: noise.initial(shape: [T5Tokenizer.length, inputs.textWidth]),
        pooled: noise.initial(shape: [1, inputs.pooledWidth]))
    }
    let sampler = PyramidSampler(transformer, in: context)
    let tokens = T5Tokenizer.length + call.latentTokens
    return try timed(
      shape, ["tokensPerSample": .integer(tokens), "samples": 2, "openSeconds": opening], in: context
    ) {
      _ = try sampler.predict(latent: latent, history: history, timestep: 500, texts: texts)
    }
  }

  private func encoder(_ shape: String, in context: KernelContext) throws -> Row {
    let tokens = try numbers(shape)[0]
    guard tokens <= T5Tokenizer.length else { throw malformed(shape) }
    let (encoder, opening) = try open(in: context) { try $0.t5() }
    return try timed(shape, ["tokens": .integer(tokens), "openSeconds": opening], in: context) {
      _ = try encoder([(0..<tokens).map { $0 % 32 + 3 }], in: context)
    }
  }

  private func decoder(_ shape: String, in context: KernelContext) throws -> Row {
    let numbers = try numbers(shape)
    guard numbers.prefix(2).allSatisfy({ CausalVideoVAEConfig.scale...8192 ~= $0 }), numbers[2] <= 32 else {
      throw malformed(shape)
    }
    let (vae, opening) = try open(in: context) { try $0.vae() }
    let latent = SeededNoise(seed: 1).initial(
      shape: [
        vae.config.latentChannels, numbers[2], numbers[1] / CausalVideoVAEConfig.scale,
        numbers[0] / CausalVideoVAEConfig.scale,
      ])
    return try timed(
      shape, ["frames": .integer(8 * numbers[2] - 7), "openSeconds": opening], in: context
    ) {
      _ = try vae.decode(latent, tiling: .saveMemory, in: context)
    }
  }

  private func conversion(_ shape: String) throws -> Row {
    guard let type = WeightType(rawValue: shape) else { throw malformed(shape) }
    let folder = try TemporaryFolder()
    var converter = ModelConverter(release: model)
    converter.mayRequantize = true
    let options = try QuantizationOptions(type: type)
    let bytes = try converter.plan(options).sourceByteCount
    return try timed(shape, ["sourceBytes": .integer(bytes)], in: nil) { [converter] in
      _ = try converter.plan(options).write(to: folder.path + "/model", mayReplace: true) { _ in }
    }
  }

  // MARK: Reports

  private func json(_ rows: [Row], limit: [InputPrecision: Double]) -> JSONValue {
    [
      "part": .string(part.rawValue), "threads": .integer(threads),
      "instructionSet": .string(Benben.instructionSet),
      "limit": .object(
        Dictionary(uniqueKeysWithValues: limit.map { ($0.rawValue, .number(Self.rounded($1 / 1e9))) })),
      "measurements": .array(
        rows.map { row in
          var members = row.details
          members["shape"] = .string(row.shape)
          members["seconds"] = .array(row.seconds.map(JSONValue.number))
          members["bestSeconds"] = .number(row.best)
          members["gigaOperations"] = [
            "linear": .number(row.work.linear / 1e9), "attention": .number(row.work.attention / 1e9),
            "convolution": .number(row.work.convolution / 1e9),
          ]
          members["gigaOperationsPerSecond"] = .number(row.operationsPerSecond / 1e9)
          members["shareOfLimit"] = .object(
            Dictionary(
              uniqueKeysWithValues: limit.map { ($0.rawValue, .number(row.operationsPerSecond / $1)) }))
          return .object(members)
        }),
    ]
  }

  private func text(_ rows: [Row], limit: [InputPrecision: Double]) -> String {
    let limits = limit.sorted { $0.value < $1.value }
    var lines = [
      "\(threads) threads, \(Benben.instructionSet)"
        + limits.map { ", \($0.key.rawValue) \(Int($0.value / 1e9)) GOP/s" }.joined()
    ]
    for row in rows {
      var line = "\(part.rawValue) \(row.shape): \(Self.rounded(row.best)) s"
      if row.work.total > 0 {
        line += ", \(Int(row.operationsPerSecond / 1e9)) GOP/s"
        line += limits.map {
          ", \(Int((100 * row.operationsPerSecond / $0.value).rounded())) % of \($0.key.rawValue)"
        }.joined()
      }
      if let bytes = row.details["sourceBytes"]?.integer {
        line += ", \(ByteSize.text(Int(Double(bytes) / max(row.best, 1e-9))))/s"
      }
      lines.append(line)
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private var threads: Int { common.threads ?? ProcessorCount.preferred }

  private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
