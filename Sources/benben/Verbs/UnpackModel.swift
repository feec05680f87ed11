import ArgumentParser
import Checkpoints
import Files
import PyramidFlow
import PyramidFlowVerification
import Tensors

struct UnpackModel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unpack",
    abstract: "Unpack a packed model: the very files that were packed, every hash checked.")

  @Argument(help: "The .zst file that pack made.", completion: .file())
  var pack: String

  @Option(help: "The model folder to write.", completion: .directory)
  var output: String

  @Flag(help: "Replace an existing output.")
  var force = false

  @Option(
    help: "Refuse a pack that is not signed with this ed25519 public key, a PEM file.",
    completion: .file(extensions: ["pem"]))
  var verifyKey: String?

  @OptionGroup var common: CommonOptions

  mutating func run() throws {
    try OutputPlaces.requireApart([output], from: [pack])
    let progress = ProgressLine(isQuiet: common.quiet)
    progress.begin("unpacking \(pack)")
    var done = 0
    let total = max(try InputFile(path: pack).size, 1)
    let isSigned = try Pack.unpack(pack, to: output, mayReplace: force, verifyingWith: verifyKey) { count in
      done += count
      try progress.update("unpacking", done: min(done, total), of: total, rate: ProgressLine.bytes)
    }
    let note =
      !isSigned ? "" : verifyKey == nil ? "; its signature was not looked at" : ", signed with this key"
    common.say("\(output) is the model that was packed\(note)")
    let evidence = try VideoModel(at: output).evidenceLines
    if !evidence.isEmpty { common.say("evidence in \(output)/evidence:") }
    for line in evidence { common.say("  " + line) }
  }
}
