import ArgumentParser
import Files
import Foundation
import SystemPackage

/// Turns errors into one line for people, advice, and an exit code for scripts.
enum Failure {
  static func report(_ error: any Error) -> Int32 {
    // Whoever read the output has gone, and what failed is only a consequence.
    if Interruption.number == SIGPIPE { return 128 + SIGPIPE }
    switch error {
    case let error as BenbenError:
      Console.error(error.description)
      for remedy in error.remedies + (error.code.map { [remedy($0, subject: error.subject)] } ?? []) {
        Console.note("  " + remedy)
      }
      return exitCode(error.kind)
    case is CancellationError:
      Console.error("interrupted")
      return 128 + (Interruption.number ?? SIGINT)
    default: return reportArguments(error)
    }
  }

  /// Help and the version go to standard output; every other complaint of the argument parser is about usage.
  private static func reportArguments(_ error: any Error) -> Int32 {
    let code = Command.exitCode(for: error)
    if code == .success {
      return (try? Console.print(Command.fullMessage(for: error) + "\n")) == nil ? 74 : 0
    }
    if let error = error as? CocoaError {
      let isFull = error.code == .fileWriteOutOfSpace
      Console.error(
        "a file operation failed: \(error.filePath ?? "unknown file"): \(error.localizedDescription)")
      return isFull ? 74 : 73
    }
    if let error = error as? Errno {
      Console.error("a file operation failed: system: \(error)")
      return 74
    }
    guard code == .validationFailure else {
      Console.error("unexpected error: \(error)")
      return 70
    }
    let verb = Command.configuration.subcommands.first {
      $0._commandName == CommandLine.arguments.dropFirst().first
    }
    let complaint = Command.message(for: error).split(separator: "\n").map(String.init)
    let isOfValue = complaint.first?.hasPrefix("Missing value") == true
    let unknown = isOfValue ? nil : verb.flatMap(unknownOption(of:)).map { [$0] }
    let message = unknown ?? complaint
    Console.error("usage: arguments: \(message.first ?? "")")
    for line in message.dropFirst() { Console.note("  " + line) }
    if isOfValue { Console.note("  One that begins with a dash follows an equals sign: --option=VALUE.") }
    if let form = verb.flatMap({ Self.form(of: message.first ?? "", in: $0) }) { Console.note("  " + form) }
    let inner = verb.flatMap { verb in
      verb.configuration.subcommands.first { $0._commandName == CommandLine.arguments.dropFirst(2).first }
    }
    let names = [verb, inner].compactMap { $0.map { " " + $0._commandName } }.joined()
    Console.note("  See 'benben help\(names.isEmpty ? "', or 'benben help VERB" : names)'.")
    return 64
  }

  /// Returns a complaint about a word that is no option of a verb, or nil: the parser would speak of what is missing first.
  private static func unknownOption(of verb: any ParsableCommand.Type) -> String? {
    guard verb.configuration.subcommands.isEmpty else { return nil }
    let known = Command.helpMessage(for: verb, columns: 10_000).matches(of: /--?[a-z][a-z0-9-]*/)
      .map { String($0.output) }
    let words = CommandLine.arguments.prefix { $0 != "--" }.map { String($0.prefix { $0 != "=" }) }
    guard
      let word = words.first(where: { $0.wholeMatch(of: /-[a-z]|--.+/) != nil && !known.contains($0) })
    else { return nil }
    let near = known.filter { $0.hasPrefix("--") && word.editDistance(to: $0) <= min(3, word.count / 3) }
      .min { word.editDistance(to: $0) < word.editDistance(to: $1) }
    return "Unknown option '\(word)'." + (near.map { " Did you mean '\($0)'?" } ?? "")
  }

  /// Returns what the help of a verb says of the option that a complaint names between quotes (`'--temp <temp>'`).
  private static func form(of complaint: String, in verb: any ParsableCommand.Type) -> String? {
    guard let option = complaint.firstMatch(of: /--[a-z0-9-]+ <[a-z0-9-]+>/)?.output else { return nil }
    let lines = Command.helpMessage(for: verb, columns: 10_000).split(separator: "\n").map {
      $0.trimmingPrefix { $0 == " " }
    }
    guard let line = lines.firstIndex(where: { $0.hasPrefix(option) && !$0.contains("] ") }) else {
      return nil
    }
    let said = lines[line].dropFirst(option.count).trimmingPrefix { $0 == " " }
    // A long name stands on a line of its own.
    let text = said.isEmpty && line + 1 < lines.count ? lines[line + 1] : said
    return text.isEmpty ? nil : "\(option): \(text)"
  }

  private static func exitCode(_ kind: BenbenError.Kind) -> Int32 {
    switch kind {
    case .usage: 64
    case .malformed: 65
    case .missing: 66
    case .internalDefect: 70
    case .cannotCreate: 73
    case .inputOutput: 74
    }
  }

  /// What to do in the words of this command.
  private static func remedy(_ code: BenbenError.Code, subject: String) -> String {
    switch code {
    case .notDownloaded:
      "If it is a repository of Hugging Face, download it first, and give the folder: "
        + "hf download \(subject.printable) --local-dir FOLDER"
    case .outputExists: "Choose another --output, or replace it with --force."
    case .outputIsForeign: "Choose another --output."
    case .outputIsBusy: "Wait until it ends, or choose another --output."
    case .notANativeModel: "Make one: benben convert CHECKPOINT --output MODEL"
    case .notAPack: "Packs are made by: benben pack MODEL --output FILE.zst"
    case .notARelease:
      "Single files are assembled: benben convert --diffusion-transformer FILE --vae FILE --t5 FILE …"
    case .alreadyRounded: "Or accept the loss with --force."
    case .tokenizersNeeded: "Name the folder: --tokenizers FOLDER"
    case .exceedsMemoryLimit: "Or allow more: --memory-limit BYTES"
    case .nothingQuantized: "Ask for a smaller type: --type int8."
    case .traceNeeded: "Name the trace with the run's request and noise: --trace FILE.h5"
    case .bundleNotFound: "Run it inside a checkout of the project, or name the folder: --bundle FOLDER"
    case .notASuiteReport: "Give what verify wrote to --json or --report, of a suite with --shard I/N."
    }
  }
}
