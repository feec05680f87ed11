import ArgumentParser
import Checkpoints
import Files
import Foundation
import JSON
import Models
import Parity
import PyramidFlow
import PyramidFlowVerification
import Tensors

struct Convert: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Convert a released checkpoint, or single files, to the native format.",
    discussion: """
      A released checkpoint is a folder as the official repositories are laid out; a native model can be converted again. Single files, as ComfyUI uses them, \
      are told by the names of their tensors; their configs are deduced from the shapes, or read from a config.json \
      beside them.
      """)

  @Argument(
    help: "The released checkpoint: the folder that holds text_encoder, causal_video_vae, ….",
    completion: .directory)
  var checkpoint: String?

  @OptionGroup(title: "A model from single files") var files: FileOptions

  @Option(help: "The model folder to write.", completion: .directory)
  var output: String?

  @Option(
    help: "The type of all weights: f32, bf16, f16, or int8 by its built-in recipe (default: as stored).")
  var type: WeightType?

  @Option(help: "REGEX=TYPE: the type of the tensors whose component/name matches; the first match wins.")
  var tensorType: [String] = []

  @Option(
    help: "A recipe of one's own, a JSON file: rules that choose types by name.",
    completion: .file(extensions: ["json"]))
  var recipe: String?

  @Option(
    help: """
      Measure on this golden trace: keep wider what would exceed the range of f16, and with a target, choose types by what \
      groups of the transformer's tensors cost (from --type int8 on, if no type is given).
      """, completion: .file(extensions: ["h5"]))
  var calibrate: String?

  @Option(help: "The least signal-to-noise ratio of a prediction, in dB, that --calibrate must reach.")
  var targetSqnrDb: Double?

  @Option(help: "The most bytes of all tensors that --calibrate may take.")
  var targetBytes: Int?

  @Option(help: "Convert only this component (repeatable).")
  var component: [String] = []

  @Flag(help: "Only say what would be done.")
  var dryRun = false

  @Flag(help: "Replace an existing output; round weights again that were rounded already.")
  var force = false

  @Option(help: "What to take of a file that holds weights and their moving average. (default: model)")
  var weights: TrainedWeights?

  @Flag(help: "Begin anew instead of going on where an interrupted run of the same conversion ended.")
  var restart = false

  @Option(help: "Write the report to this file as JSON (- for standard output).", completion: .file())
  var json: String?

  @OptionGroup var common: CommonOptions

  /// Files of which a model is put together.
  struct FileOptions: ParsableArguments {
    @Option(
      help:
        "The transformer: a .safetensors, .bin or .gguf file, a shard index, or a folder with one of them.",
      completion: .file())
    var diffusionTransformer: String?

    @Option(help: "The VAE, likewise.", completion: .file())
    var vae: String?

    @Option(help: "The T5 encoder, likewise.", completion: .file())
    var t5: String?

    @Option(help: "A CLIP text encoder, likewise; SD3 has two (repeatable).", completion: .file())
    var clip: [String] = []

    @Option(
      help: "The folder that holds tokenizer, tokenizer_2, … as a release does.", completion: .directory)
    var tokenizers: String?

    @Option(
      help: "What the transformer is: 384p, 768p or image; its tensors do not tell.",
      completion: .variant)
    var variant = "384p"

    /// The files as the library takes them.
    var files: SingleFiles {
      SingleFiles(
        transformer: diffusionTransformer, vae: vae, t5: t5, clips: clip, tokenizers: tokenizers,
        variant: variant)
    }

    var isEmpty: Bool { diffusionTransformer == nil && vae == nil && t5 == nil && clip.isEmpty }
  }

  func validate() throws {
    if (checkpoint == nil) == files.isEmpty {
      throw ValidationError(
        "name either CHECKPOINT or the files: --diffusion-transformer, --vae, --t5, --clip, --tokenizers")
    }
    if checkpoint == nil, !component.isEmpty {
      throw ValidationError(
        "--component chooses from a checkpoint; of single files, name those that are wanted")
    }
    if calibrate == nil, targetSqnrDb != nil || targetBytes != nil {
      throw ValidationError("a target is reached by measuring: add --calibrate GOLDEN.h5")
    }
    if targetSqnrDb != nil, targetBytes != nil {
      throw ValidationError("--target-sqnr-db and --target-bytes exclude each other")
    }
    if let targetSqnrDb, !(0...200 ~= targetSqnrDb) {
      throw ValidationError("--target-sqnr-db must be 0 to 200, not \(targetSqnrDb)")
    }
    if output == nil && !dryRun { throw ValidationError("--output MODEL is needed (or --dry-run)") }
  }

  mutating func run() throws {
    let quantization = try quantization()
    try OutputPlaces.requireApart(
      [output, json],
      from: [
        checkpoint, files.diffusionTransformer, files.vae, files.t5, files.tokenizers, recipe, calibrate,
      ] + files.clip)
    // The output is looked at before any work, and reports before the first byte is written.
    if let output, !dryRun { try Conversion.requirePossible(output: output, mayReplace: force) }
    if let json, json != "-" { try StagedFile.requireWritable(json) }
    let plan = try converter.plan(quantization)
    let conversion = try calibrated(dryRun ? plan.audited() : plan)
    for remark in idleOptions + conversion.remarks + conversion.gaps { common.say("note: \(remark)") }
    var report = try carryOut(conversion)
    if dryRun {
      let memory = try MemoryPlan(conversion)
      report = .object((report.object ?? [:]).merging(["memory": memory?.json ?? .null]) { $1 })
      common.say("\(ByteSize.text(conversion.byteCount)) on disk; nothing was written")
      for line in memory?.lines ?? [] { common.say(line) }
    }
    if let json { try Console.write(report, to: json) }
  }

  /// What was asked for in vain.
  private var idleOptions: [String] {
    [
      recipe != nil && type != nil ? "--type does nothing beside --recipe" : nil,
      checkpoint != nil && files.variant != "384p"
        ? "--variant does nothing: a checkpoint's folders are called after theirs" : nil,
      checkpoint != nil && files.tokenizers != nil
        ? "--tokenizers does nothing: those of the checkpoint are taken" : nil,
    ].compactMap(\.self)
  }

  private var converter: ModelConverter {
    var converter = checkpoint.map(ModelConverter.init(release:)) ?? ModelConverter(files: files.files)
    converter.components = component
    converter.mayRequantize = force
    converter.trainedWeights = weights
    return converter
  }

  /// The plan with what a golden trace says about it: products beyond f16, and the types that reach a target.
  private func calibrated(_ conversion: Conversion) throws -> Conversion {
    guard let calibrate else { return conversion }
    let progress = ProgressLine(isQuiet: common.quiet)
    return try conversion.calibrated(
      on: try GoldenTrace(at: calibrate),
      target: targetSqnrDb.map(SensitivitySearch.Target.sqnrDb)
        ?? targetBytes.map(SensitivitySearch.Target.bytes),
      threads: common.threads, beside: output
    ) { try progress.show($0, on: calibrate, common) }
  }

  private func carryOut(_ conversion: Conversion) throws -> JSONValue {
    guard !dryRun, let output else { return conversion.dryRunJSON }
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("converting \(checkpoint ?? "single files")")
    let report: JSONValue
    do {
      report = try conversion.writeReporting(to: output, mayReplace: force, restarts: restart) {
        let what = "converting \($0.component)" + ($0.resumedBytes > 0 ? ", resumed" : "")
        try progress.update(what, done: $0.bytes, of: $0.totalBytes, rate: ProgressLine.bytes)
      }
    } catch let error as CancellationError {
      if Conversion.isInterrupted(output: output) {
        common.say("what was converted is kept; the same command goes on from there, --restart begins anew")
      }
      throw error
    }
    if let remark = Conversion.remarkOnWider(report) { common.say("note: \(remark)") }
    let size = report["bytes"]?.integer ?? conversion.byteCount
    common.say("\(output): \(ByteSize.text(size)) from \(ByteSize.text(conversion.sourceByteCount))")
    return report
  }

  private func quantization() throws -> QuantizationOptions {
    // A target asks for a smaller model; without another word, that is the built-in recipe.
    let isTargeted = targetSqnrDb != nil || targetBytes != nil
    let type = type ?? (isTargeted && recipe == nil && tensorType.isEmpty ? .int8 : nil)
    return try QuantizationOptions(
      type: type, typeReason: type.map { "--type \($0.rawValue)" },
      recipe: try recipe.map { try Recipe(path: $0) },
      overrides: try tensorType.map { text in
        do {
          return try Recipe.Rule(assignment: text, reason: "--tensor-type \(text)")
        } catch let error as BenbenError { throw ValidationError("--tensor-type \(text): \(error.why)") }
      })
  }
}

extension WeightType: ExpressibleByArgument {}
extension TrainedWeights: ExpressibleByArgument {}
