import ArgumentParser
import Files
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
      UnpackModel.self, Verify.self, Report.self, Card.self, DrawNoise.self, Bench.self, Demo.self,
    ])

  /// What `--version` prints: the version alone in the first line, then what else a report of a defect needs.
  private static var version: String {
    """
    \(Benben.version)
    commit \(Benben.commit ?? "not recorded")
    \(Benben.mathLibrary), \(Benben.instructionSet)
    """
  }

  /// Returns the process's arguments, of which every one is UTF-8 and the first a verb or an option.
  private static func processArguments() throws -> [String] {
    var arguments: [String] = []
    for index in 1..<max(Int(CommandLine.argc), 1) {
      guard let word = CommandLine.unsafeArgv[index] else { break }
      guard let text = String(validatingCString: word) else {
        throw ValidationError("an argument is not UTF-8: \(String(cString: word))")
      }
      arguments.append(text)
    }
    if let first = arguments.firstIndex(where: { $0.hasPrefix("-") }), arguments[first] == "-V" {
      arguments[first] = "--version"
    }
    try requireVerbs(arguments.first == "help" ? arguments.dropFirst() : arguments[...], of: self)
    return arguments
  }

  /// Throws unless the first word is a verb of a command or an option, and likewise the next one where that has verbs.
  private static func requireVerbs(_ words: ArraySlice<String>, of command: any ParsableCommand.Type) throws {
    let commands = command.configuration.subcommands
    guard !commands.isEmpty, let word = words.first, !word.isEmpty, !word.hasPrefix("-"), word != "help"
    else { return }
    if let next = commands.first(where: { $0._commandName == word }) {
      return try requireVerbs(words.dropFirst(), of: next)
    }
    let verbs = commands.map { $0._commandName } + ["help"]
    func distance(_ verb: String) -> Int { word.lowercased().editDistance(to: verb) }
    let near = verbs.filter { distance($0) <= min(2, word.count / 2) }.min { distance($0) < distance($1) }
    throw ValidationError("there is no verb '\(word)'" + (near.map { ". Did you mean '\($0)'?" } ?? ""))
  }

  /// Parses and runs one command: the given, or the process's.
  static func run(_ words: [String]? = nil) async throws {
    let words = try words ?? processArguments()
    var command = try parseAsRoot(words)
    if var command = command as? any AsyncParsableCommand {
      try await command.run()
    } else {
      try command.run()
    }
  }
}
