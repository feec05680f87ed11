import ArgumentParser
import PyramidFlow

/// The command.
///
/// Its contract — names, exit codes, JSON keys — is relied on by scripts: only ever add to it.
struct Command: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benben",
    abstract:
      "Converts Pyramid Flow checkpoints, runs them without a GPU, and proves that they compute the same clip.",
    version: version,
    subcommands: [
      Convert.self, Inspect.self, Check.self, Compare.self, Generate.self, Export.self, PackModel.self,
      UnpackModel.self, Verify.self, Report.self, DrawNoise.self, Bench.self, Demo.self,
    ])

  /// What `--version` prints: the version alone in the first line, then what else a report of a defect needs.
  private static var version: String {
    """
    \(Benben.version)
    commit \(Benben.commit ?? "not recorded")
    \(Benben.mathLibrary), \(Benben.instructionSet)
    """
  }

  /// Parses and runs one command.
  static func run(_ arguments: [String]? = nil) async throws {
    var command = try parseAsRoot(arguments)
    if var command = command as? any AsyncParsableCommand {
      try await command.run()
    } else {
      try command.run()
    }
  }
}
