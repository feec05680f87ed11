import ArgumentParser
import PyramidFlow

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how fast a model runs here.",
    discussion: """
      SHAPE is, for dit, WIDTHxHEIGHT:LATENT:STAGE (one call of the transformer for two texts of 128 tokens, latent frames and \
      stages counted from 1); for t5, the tokens of a text; for vae, WIDTHxHEIGHT:LATENTS; for convert, a type of weights. \
      Inputs are noise.
      """)

  @Argument(help: "dit, t5, vae or convert.")
  var part: Benchmark.Part

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

  func validate() throws {
    if !(1...1000 ~= repeats) { throw ValidationError("--repeat must be 1 to 1000, not \(repeats)") }
  }

  mutating func run() throws {
    try Console.requireWritable(json, from: [model])
    let benchmark = try Benchmark(
      part, model: model, shapes: shape, repeats: repeats, variant: variant, threads: common.threads)
    let report = try benchmark.run { common.say($0) }
    if let json { try Console.write(report.json, to: json) }
    if json != "-" { try Console.print(report.text) }
  }
}

extension Benchmark.Part: ExpressibleByArgument {}
