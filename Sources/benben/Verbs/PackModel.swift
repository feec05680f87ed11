import ArgumentParser
import Checkpoints
import Files
import PyramidFlow
import PyramidFlowVerification
import Tensors

struct PackModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pack", abstract: "Pack a model into one file, compressed with zstd, for shipping.")

  @Argument(help: "The model folder.", completion: .directory)
  var model: String

  @Option(help: "The .zst file to write.", completion: .file())
  var output: String

  @Flag(help: "Replace an existing output.")
  var force = false

  @Option(
    help: "Sign the pack with this ed25519 private key, a PEM file.", completion: .file(extensions: ["pem"]))
  var sign: String?

  @Option(
    help: "A report of it (.json, .html) or a card (.md) to pack; or what was unpacked with it (repeatable).",
    completion: .file())
  var evidence: [String] = []

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    let native = try NativeModel(path: model)
    evidence = evidence.flatMap(VideoModel.evidence(at:))
    try OutputPlaces.requireApart([output], from: [model, sign] + evidence)
    if evidence.isEmpty { evidence = native.evidence }
    if !evidence.isEmpty {
      let model = try VideoModel(at: model)
      try model.requireEvidence(evidence)
      for line in model.evidenceLines(evidence) { common.say("evidence: \(line)") }
    }
    if let remark = native.remarkOnOthers { common.say("note: \(remark)") }
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("packing \(model)")
    var done = 0
    let total = max(native.byteCount, 1)
    let (bytes, packed) = try Pack.pack(
      native, evidence: evidence, to: output, mayReplace: force, signingWith: sign
    ) { count in
      done += count
      try progress.update("packing", done: min(done, total), of: total, rate: ProgressLine.bytes)
    }
    let share = (1000 * Double(packed) / Double(max(bytes, 1))).rounded() / 10
    common.say("\(output): \(ByteSize.text(packed)), \(share) % of \(ByteSize.text(bytes))")
  }
}
