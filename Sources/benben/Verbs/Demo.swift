import ArgumentParser
import Files
import PyramidFlow
import Tensors

struct Demo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The whole road on the bundled checkpoint: convert, check, generate, verify.",
    discussion: """
      The bundled checkpoint is a miniFLUX of 5.1 million parameters, trained on clips of one coloured shape that \
      moves, with a golden trace that the official implementation computed.
      """)

  @Option(help: "The folder to write the model, the clips and the report to.", completion: .directory)
  var output = "benben-demo"

  @Option(
    help: "The folder with the bundled checkpoint and its goldens (default: found beside the program).",
    completion: .directory)
  var bundle: String?

  @OptionGroup var common: CommonOptions

  mutating func run() async throws {
    let bundle = try bundle ?? BundledCheckpoint.find()
    guard FileSystem.exists(bundle + "/golden.h5") else { throw BundledCheckpoint.missing(at: bundle) }
    try BundledCheckpoint.requireReplaceable(results: output)
    try FileSystem.makeFolders(output)
    let model = output + "/model"
    let shared = commonArguments
    try await step(
      "convert", [bundle + "/checkpoint", "--output", model, "--force", "--json", output + "/convert.json"],
      shared)
    try await step("inspect", [model], [])
    try await step("check", [model], shared)
    // The golden's request and noise, so that the clip is the golden clip.
    let request =
      [model, "--prompt", "a red ball moving right", "--noise", bundle + "/golden.h5", "--force"]
      + ["--width=128", "--height=128", "--temp=2", "--steps=8,8,8", "--video-steps=8,8,8"]
      + ["--guidance-scale=2", "--video-guidance-scale=2"]
    try await step("generate", request + ["--output", output + "/clip.mp4"], shared)
    try await step(
      "generate", request + ["--output", output + "/clip.gif"], shared + (common.quiet ? [] : ["--quiet"]))
    common.say("")
    common.say("clip: \(output)/clip.mp4, \(output)/clip.gif; parity report: \(output)/parity.html")
    try await step(
      "verify", [model, "--golden", bundle + "/golden.mp4", "--json", output + "/video-parity.json"], shared)
    try await step(
      "verify",
      [
        model, "--golden", bundle + "/golden.h5", "--json", output + "/parity.json", "--report",
        output + "/parity.html",
      ], shared)
  }

  private var commonArguments: [String] {
    (common.threads.map { ["--threads", String($0)] } ?? []) + (common.quiet ? ["--quiet"] : [])
      + (common.verbose ? ["--verbose"] : [])
  }

  /// Runs a verb as a user would, showing the command.
  private func step(_ verb: String, _ arguments: [String], _ shared: [String]) async throws {
    let shown = arguments.map(\.quotedForShell).joined(separator: " ")
    common.say("")
    common.say("$ benben \(verb) \(shown)")
    try await Command.run([verb] + arguments + shared)
  }
}
