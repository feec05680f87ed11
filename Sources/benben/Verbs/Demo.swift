import ArgumentParser
import Files
import Foundation
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

  private static let bundlePath = "Tests/Fixtures/shapes"

  /// Where `tools/package` puts the same, beside the folder of the program.
  private static let installedPath = "share/benben/demo"

  mutating func run() async throws {
    let bundle = try findBundle()
    do {
      try FileManager.default.createDirectory(atPath: output, withIntermediateDirectories: true)
    } catch {
      throw BenbenError(.cannotCreate, "cannot create", at: output, because: error.localizedDescription)
    }
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
    common.say("\nclip: \(output)/clip.mp4, \(output)/clip.gif; parity report: \(output)/parity.html")
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
    common.say("\n$ benben \(verb) \(shown)")
    try await Command.run([verb] + arguments + shared)
  }

  /// What was installed with the program, or the project's own fixtures, looked for from the program's folder and the
  /// current one upwards.
  private func findBundle() throws -> String {
    if let bundle { return bundle }
    let programs = Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent()
    if let installed = programs?.deletingLastPathComponent().appendingPathComponent(Self.installedPath).path,
      FileManager.default.fileExists(atPath: installed + "/golden.h5")
    {
      return installed
    }
    for start in [programs, URL(fileURLWithPath: FileManager.default.currentDirectoryPath)].compactMap(\.self)
    {
      var folder = start.standardizedFileURL
      while folder.pathComponents.count > 1 {
        let candidate = folder.appendingPathComponent(Self.bundlePath).path
        if FileManager.default.fileExists(atPath: candidate + "/golden.h5") { return candidate }
        folder.deleteLastPathComponent()
      }
    }
    throw BenbenError(
      .missing, "the bundled checkpoint is not found", at: Self.bundlePath,
      because:
        "it is not installed with the program, and neither its folder nor the current one lies in a checkout",
      remedies: ["Run it inside a checkout of the project, or name the folder: --bundle FOLDER"])
  }
}
